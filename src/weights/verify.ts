import { JanusError, quote } from "../errors.js";
import type { LocatedTensor } from "./bound-tensor.js";
import { malformed } from "./refusals.js";
import { Seals } from "./seals.js";
import { sha256 } from "./sha256.js";
import type { WeightSource } from "./source.js";
import { allocate, readViewRows } from "./view.js";

/** A tensor is hashed whole, as hosts offer it. The largest of Janus-Pro-7B has 67 MB. */
const MAX_HASHED = 2 ** 29;

/** A stored tensor and its checksum. */
export interface VerifiedTensor extends LocatedTensor {
  readonly file: string;
  readonly sha256: string;
  /** The bound tensor that it is, or is rows of, from row `first` of that. */
  readonly role: string;
  readonly first: number;
  /** Its rows that are read again later, `group` at a time, or each range at once. */
  readonly sealed: readonly { readonly first: number; readonly count: number; readonly group?: number }[];
}

/**
 * Reads every tensor and compares its checksum. Gives the seals of what is read again.
 *
 * @throws JanusError E_INTEGRITY naming file and tensor; E_UNSUPPORTED on a host without SHA-256; what the source throws; the signal's reason.
 */
export async function verifyTensors(
  source: WeightSource,
  tensors: readonly VerifiedTensor[],
  signal?: AbortSignal,
): Promise<Seals> {
  if (globalThis.crypto?.subtle === undefined)
    throw new JanusError(
      "E_UNSUPPORTED",
      `verifying ${quote(source.label)}: expected a host that computes SHA-256, found none (a page needs https); load without verifying`,
    );
  const large = tensors.find(({ bytes }) => bytes > MAX_HASHED);
  if (large) throw malformed(large.file, `expected tensors of at most ${MAX_HASHED} bytes, found ${quote(large.name)}`);
  const seals = new Seals();
  // One for all: of one for each a host would free nothing before it collects.
  const room = allocate(Math.max(0, ...tensors.map(({ bytes }) => bytes)), quote(source.label));
  for (const { name, file, bytes, shape, view, sha256: expected, role, first, sealed } of tensors) {
    const [rows = 1] = shape;
    const content = room.subarray(0, bytes);
    await readViewRows(source, view, 0, rows, content, signal);
    const found = await sha256(content);
    signal?.throwIfAborted();
    if (found !== expected)
      throw new JanusError(
        "E_INTEGRITY",
        `verifying ${file}: expected SHA-256 ${expected} of tensor ${quote(name)}, got ${found}; the file is damaged, copy it or pack the checkpoint again`,
        { origin: "model" },
      );
    const rowBytes = bytes / rows;
    for (const range of sealed) {
      const part = content.subarray(range.first * rowBytes, (range.first + range.count) * rowBytes);
      await seals.add({ role, first: first + range.first, rowBytes, content: part, file }, range.group);
    }
  }
  return seals;
}
