import { JanusError, quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import { checkedElements, DTYPE_BITS } from "./dtype.js";
import { type JsonLimits, JsonReader } from "./json.js";
import { malformed, unreadable, unsupported } from "./refusals.js";
import { recognise, SIGNATURE_BYTES } from "./signature.js";
import type { WeightSource } from "./source.js";

/** One tensor of a file; `begin` and `end` (exclusive) are offsets in the file, in bytes. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the file's bytes. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/** What the header says of a tensor that is about to be written. */
export interface SafetensorsLayout {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** The format's own bound (safetensors/src/tensor.rs, MAX_HEADER_SIZE). */
const MAX_HEADER_BYTES = 100_000_000;
/** Depth: the file, a tensor, its shape, and one to spare. Values: eight to a tensor of rank 2, so 250,000 tensors; Janus has 1,000. */
const HEADER_LIMITS: JsonLimits = { bytes: MAX_HEADER_BYTES, depth: 4, values: 2_000_000 };
/** The bound of PyTorch and NumPy; keeps a shape printable. */
const MAX_RANK = 64;
const METADATA = "__metadata__";

/**
 * Reads the header of a safetensors file, and nothing else of it, by all rules of the Rust reader: the tensors, sorted by their offsets,
 * must cover the rest of the file exactly, without hole, overlap or trailing byte, and every span must be its shape times its dtype.
 *
 * Throws E_FORMAT for a malformed file, E_UNSUPPORTED for a dtype of unknown size, E_IO for a missing one.
 */
export async function parseSafetensors(
  source: WeightSource,
  path: string,
  signal?: AbortSignal,
): Promise<SafetensorsHeader> {
  const size = await source.size(path, signal);
  if (size === undefined) throw unreadable(path, `expected a file in ${quote(source.label)}, found none`);
  if (size < 8) throw malformed(path, `expected a safetensors file, found ${size} bytes; download the file again`);
  const prefix = await source.read(path, 0, 8, signal);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, size - 8))) {
    const known = recognise(await source.read(path, 0, Math.min(size, SIGNATURE_BYTES), signal), "safetensors");
    if (known !== undefined) throw malformed(path, `expected a safetensors file, found ${known}`);
    throw malformed(
      path,
      `expected a safetensors header of at most ${Math.min(MAX_HEADER_BYTES, size - 8)} bytes in a file of ${size}, found a length of ${length}; the file is cut short or not safetensors`,
    );
  }
  const header = await source.read(path, 8, Number(length), signal);
  if (header[0] !== 0x7b)
    throw malformed(path, "expected a safetensors header that begins with '{', found something else");
  const { metadata, entries } = readHeader(header, path, 8 + header.length);
  return { metadata, tensors: coverExactly(entries, path, 8 + header.length, size) };
}

function readHeader(
  header: Uint8Array,
  path: string,
  dataStart: number,
): { metadata: Map<string, string>; entries: SafetensorsEntry[] } {
  const metadata = new Map<string, string>();
  const entries: SafetensorsEntry[] = [];
  const reader = new JsonReader(header, HEADER_LIMITS, (reason) => malformed(path, `in the header: ${reason}`));
  reader.object((name) => {
    if (name === METADATA) reader.object((key) => metadata.set(key, reader.string()));
    else entries.push(readEntry(reader, name, path, dataStart));
  });
  reader.end();
  return { metadata, entries };
}

function readEntry(reader: JsonReader, name: string, path: string, dataStart: number): SafetensorsEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const integers = (): number[] => {
    const items: number[] = [];
    reader.array(() => {
      const item = reader.integer();
      if (item < 0) throw malformed(path, `expected no negative number in tensor ${quote(name)}, found ${item}`);
      if (items.push(item) > MAX_RANK)
        throw malformed(path, `expected at most ${MAX_RANK} dimensions in tensor ${quote(name)}, found more`);
    });
    return items;
  };
  reader.object((key) => {
    if (key === "dtype") dtype = reader.string();
    else if (key === "shape") shape = integers();
    else if (key === "data_offsets") offsets = integers();
    else reader.skip();
  });
  if (dtype === undefined || shape === undefined || offsets?.length !== 2)
    throw malformed(path, `expected dtype, shape and two data_offsets of tensor ${quote(name)}, found fewer or more`);
  return { name, dtype, shape, begin: dataStart + offsets[0]!, end: dataStart + offsets[1]! };
}

/** The rule that refuses overlaps, holes, reordering, polyglots and lies about sizes at once. */
function coverExactly(
  entries: readonly SafetensorsEntry[],
  path: string,
  dataStart: number,
  size: number,
): Map<string, SafetensorsEntry> {
  const tensors = new Map<string, SafetensorsEntry>();
  let position = dataStart;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const bytes = spanBytes(entry, path);
    if (entry.begin !== position || entry.end < entry.begin)
      throw malformed(
        path,
        `expected tensor ${quote(entry.name)} to begin at data offset ${position - dataStart}, where the one before it ends, found [${entry.begin - dataStart}, ${entry.end - dataStart}]; the file has a hole or an overlap`,
      );
    if (entry.end - entry.begin !== bytes)
      throw malformed(
        path,
        `expected ${bytes} bytes of tensor ${quote(entry.name)} (${entry.dtype} ${shapeText(entry.shape)}), found ${entry.end - entry.begin}`,
      );
    position = entry.end;
    tensors.set(entry.name, entry);
  }
  if (position !== size)
    throw malformed(
      path,
      `expected ${position} bytes by its header, found ${size}; the file is ${size < position ? "cut short, download it again" : "followed by foreign bytes"}`,
    );
  return tensors;
}

function spanBytes(entry: SafetensorsEntry, path: string): number {
  const bits = DTYPE_BITS.get(entry.dtype);
  if (bits === undefined)
    throw unsupported(path, `expected a known dtype of tensor ${quote(entry.name)}, found ${quote(entry.dtype)}`);
  const bytes = ((checkedElements(entry.shape) ?? Number.NaN) * bits) / 8;
  if (!Number.isSafeInteger(bytes))
    throw malformed(
      path,
      `expected tensor ${quote(entry.name)} to be a whole number of bytes within 2^53-1, found ${entry.dtype} ${shapeText(entry.shape)}`,
    );
  return bytes;
}

/**
 * The first bytes of a safetensors file: length, header, spaces up to a multiple of 8. The data of the tensors follows in the order
 * given, without gaps; wide dtypes first keep every tensor aligned. The same input gives the same bytes.
 */
export function encodeSafetensorsHeader(
  tensors: readonly SafetensorsLayout[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const members: string[] = [];
  const names = new Set<string>([METADATA]);
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0)
    members.push(
      `"${METADATA}":{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`).join(",")}}`,
    );
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const bytes = ((checkedElements(shape) ?? Number.NaN) * (DTYPE_BITS.get(dtype) ?? Number.NaN)) / 8;
    if (names.has(name) || !Number.isSafeInteger(offset + bytes))
      throw new JanusError(
        "E_INTERNAL",
        `writing a safetensors header: expected a new name and a size, got ${quote(name)} ${dtype} ${shapeText(shape)}`,
      );
    names.add(name);
    members.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${offset},${offset + bytes}]}`,
    );
    offset += bytes;
  }
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}
