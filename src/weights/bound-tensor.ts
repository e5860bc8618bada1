import { JanusError, quote } from "../errors.js";
import { type BoundDtype, dtypeBytes } from "./dtype.js";
import type { PackedLayout } from "./packed.js";
import { listed } from "./refusals.js";
import type { WeightSource } from "./source.js";
import { allocate, type FileView, readViewRows } from "./view.js";

/** A tensor as the files hold it; `bytes` is what it takes dense. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** How a packed checkpoint lays it out. */
  readonly layout?: PackedLayout;
}

/** A tensor that the model needs: its role and its canonical shape. */
export interface TensorRequest {
  readonly role: string;
  readonly shape: readonly number[];
}

/**
 * A request that the checkpoint satisfies; `names` are the stored tensors that make it up, stacked along dimension 0. Of a packed checkpoint the shape is the
 * stored one, by `layout`: rows of a matrix are its panels.
 */
export interface BoundTensor {
  readonly role: string;
  readonly dtype: BoundDtype;
  readonly shape: readonly number[];
  readonly names: readonly string[];
  readonly layout?: PackedLayout;
}

/** A stored tensor, and where. */
export interface LocatedTensor extends StoredTensor {
  readonly view: FileView;
}

/** Bytes of one row of dimension 0 as stored. */
export function storedRowBytes(tensor: BoundTensor): number {
  return tensor.shape.slice(1).reduce((product, dimension) => product * dimension, dtypeBytes(tensor.dtype));
}

/** An original checkpoint needs 298 tensors, a Hugging Face one 394: all of them still fit the message. */
const MAX_LISTED = 400;

/** What binding found wrong, a sentence each; nothing when all lists are empty. */
export interface Unbound {
  readonly missing: readonly string[];
  readonly misshaped: readonly string[];
  readonly foreign: readonly string[];
}

export function refuseUnbound(source: WeightSource, { missing, misshaped, foreign }: Unbound): void {
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`${missing.length} missing: ${listed(missing, MAX_LISTED)}`);
  if (misshaped.length > 0)
    problems.push(`${misshaped.length} not of the shape that config.json implies: ${listed(misshaped, MAX_LISTED)}`);
  if (foreign.length > 0) problems.push(`${foreign.length} not one of F32, F16, BF16: ${listed(foreign, MAX_LISTED)}`);
  if (problems.length === 0) return;
  const code = misshaped.length > 0 ? "E_CONFIG" : missing.length > 0 ? "E_FORMAT" : "E_UNSUPPORTED";
  throw new JanusError(
    code,
    `binding the tensors of ${quote(source.label)}: found ${problems.join("; ")}; do config.json and the weights belong together?`,
    { origin: "model" },
  );
}

/** Rows [first, first + count) of a tensor in memory of their own, by whatever fills them. */
export async function readBoundRows(
  tensor: BoundTensor,
  first: number,
  count: number,
  fill: (target: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<Uint8Array<ArrayBuffer>> {
  checkRows(tensor, first, count);
  const target = allocate(count * storedRowBytes(tensor), tensor.role);
  await fill(target);
  return target;
}

/** Rows [first, first + count) of a tensor whose parts, in order, lie at `views`, into `target`, which must be as long as they are. */
export async function readPartsInto(
  source: WeightSource,
  tensor: BoundTensor,
  views: Iterable<FileView>,
  first: number,
  count: number,
  target: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  checkTarget(tensor, first, count, target);
  const rowBytes = storedRowBytes(tensor);
  let begin = 0;
  for (const view of views) {
    const end = begin + (view.shape[0] ?? 1);
    const from = Math.max(first, begin);
    const to = Math.min(first + count, end);
    if (from < to) {
      const piece = target.subarray((from - first) * rowBytes, (to - first) * rowBytes);
      await readViewRows(source, view, from - begin, to - from, piece, signal);
    }
    begin = end;
  }
}

/** Refuses rows beyond the tensor, or a target that is not as long as they are: mistakes of ours. */
export function checkTarget(tensor: BoundTensor, first: number, count: number, target: Uint8Array): void {
  checkRows(tensor, first, count);
  const bytes = count * storedRowBytes(tensor);
  if (target.length !== bytes)
    throw new JanusError(
      "E_INTERNAL",
      `reading ${tensor.role}: expected a target of ${bytes} bytes, got ${target.length}`,
    );
}

function checkRows(tensor: BoundTensor, first: number, count: number): void {
  const [rows = 1] = tensor.shape;
  if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 0 || first + count > rows)
    throw new JanusError(
      "E_INTERNAL",
      `reading ${tensor.role}: expected rows within ${rows}, got ${count} from ${first}`,
    );
}
