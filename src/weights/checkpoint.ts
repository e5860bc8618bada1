import { JanusError, quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import { checkedElements, dtypeBytes, isWeightDtype, type WeightDtype } from "./dtype.js";
import { detectLayout, type Layout, type LayoutName } from "./layout.js";
import { listed, malformed } from "./refusals.js";
import { parseSafetensors } from "./safetensors.js";
import { findShards, type Shards, type WeightFormat } from "./shards.js";
import type { WeightSource } from "./source.js";
import { parseTorch } from "./torch.js";
import { allocate, type FileView, readViewRows, rowMajor } from "./view.js";
import { dataOffset } from "./zip.js";

/** A tensor as the files hold it; `bytes` is what it takes dense. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** A tensor that the model needs: its role and its canonical shape. */
export interface TensorRequest {
  readonly role: string;
  readonly shape: readonly number[];
}

/** A request that the checkpoint satisfies; `names` are the stored tensors that make it up, stacked along dimension 0. */
export interface BoundTensor {
  readonly role: string;
  readonly dtype: WeightDtype;
  readonly shape: readonly number[];
  readonly names: readonly string[];
}

export interface Checkpoint {
  readonly layout: LayoutName;
  readonly format: WeightFormat;
  /** The weight files, without their index. */
  readonly files: readonly string[];
  /** Every stored tensor, used or not; the names of the bound tensors tell which are. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The stored tensor of a role that is one tensor; undefined when it is absent, or several. */
  find(role: string): StoredTensor | undefined;
  /**
   * Binds every request, in order. Throws one error that lists all that is wrong: E_CONFIG when a shape is not what the configuration
   * implies, E_FORMAT when tensors are only missing, E_UNSUPPORTED when one is there in a dtype that is no weight's.
   */
  bind(requests: readonly TensorRequest[]): ReadonlyMap<string, BoundTensor>;
  /** Rows [first, first + count) of dimension 0: dense row-major bytes in the stored dtype, whatever parts and strides they come from. */
  readRows(tensor: BoundTensor, first: number, count: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** The same into `target`, which must be as long as the rows are. */
  readRowsInto(
    tensor: BoundTensor,
    first: number,
    count: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Bytes of one row of dimension 0 as stored. */
export function storedRowBytes(tensor: BoundTensor): number {
  return tensor.shape.slice(1).reduce((product, dimension) => product * dimension, dtypeBytes(tensor.dtype));
}

/** An original checkpoint needs 298 tensors, a Hugging Face one 394: all of them still fit the message. */
const MAX_LISTED = 400;

interface LocatedTensor extends StoredTensor {
  readonly view: FileView;
}

/**
 * Opens the checkpoint of a directory: model.safetensors, its shards, pytorch_model.bin or its shards, in that order. Headers are read
 * and checked, data is not.
 *
 * Throws E_IO for missing files, E_FORMAT for malformed ones, E_UNSUPPORTED for a related family that this package does not run.
 */
export async function openCheckpoint(source: WeightSource, signal?: AbortSignal): Promise<Checkpoint> {
  const shards = await findShards(source, signal);
  const tensors = new Map<string, LocatedTensor>();
  const read = shards.format === "safetensors" ? locateSafetensors : locateTorch;
  for (const path of shards.files) {
    for (const tensor of await read(source, path, signal)) {
      const other = tensors.get(tensor.name);
      if (other !== undefined)
        throw malformed(
          path,
          `expected every tensor once, found ${quote(tensor.name)} in ${quote(other.view.path)} too`,
        );
      tensors.set(tensor.name, tensor);
    }
  }
  checkIndex(shards, tensors);
  return new OpenCheckpoint(source, shards, tensors, detectLayout(tensors.keys(), quote(source.label)));
}

async function locateSafetensors(source: WeightSource, path: string, signal?: AbortSignal): Promise<LocatedTensor[]> {
  const { tensors } = await parseSafetensors(source, path, signal);
  return [...tensors.values()].map(({ name, dtype, shape, begin, end }) => {
    const start = (): Promise<number> => Promise.resolve(begin);
    const view = { path, itemBytes: dtypeBytes(dtype), shape, strides: rowMajor(shape), start };
    return { name, dtype, shape, bytes: end - begin, view };
  });
}

async function locateTorch(source: WeightSource, path: string, signal?: AbortSignal): Promise<LocatedTensor[]> {
  const tensors = await parseTorch(source, path, signal);
  return [...tensors.values()].map(({ name, dtype, shape, strides, offset, storage }) => {
    const itemBytes = dtypeBytes(dtype);
    let storageStart: number | undefined;
    // The local header is read, and checked, when the first byte of its storage is wanted: most storages never are.
    const start = async (signal?: AbortSignal): Promise<number> => {
      storageStart ??= await dataOffset(source, path, storage, signal);
      return storageStart + offset * itemBytes;
    };
    const bytes = (checkedElements(shape) ?? Number.NaN) * itemBytes;
    return { name, dtype, shape, bytes, view: { path, itemBytes, shape, strides, start } };
  });
}

function checkIndex({ index }: Shards, tensors: ReadonlyMap<string, LocatedTensor>): void {
  if (index === undefined) return;
  for (const [name, shard] of index.shardOf) {
    const tensor = tensors.get(name);
    if (tensor?.view.path !== shard)
      throw malformed(
        index.path,
        `expected ${quote(name)} in ${quote(shard)}, found it ${tensor === undefined ? "nowhere" : `in ${quote(tensor.view.path)}`}; index and shards are of different checkpoints`,
      );
  }
}

class OpenCheckpoint implements Checkpoint {
  readonly layout: LayoutName;
  readonly format: WeightFormat;
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
  readonly #source: WeightSource;
  readonly #layout: Layout;

  constructor(source: WeightSource, shards: Shards, tensors: ReadonlyMap<string, LocatedTensor>, layout: Layout) {
    this.layout = layout.name;
    this.format = shards.format;
    this.files = shards.files;
    this.tensors = tensors;
    this.#source = source;
    this.#layout = layout;
  }

  find(role: string): StoredTensor | undefined {
    const names = this.#layout.stored(role);
    return names.length === 1 ? this.tensors.get(names[0]!) : undefined;
  }

  bind(requests: readonly TensorRequest[]): ReadonlyMap<string, BoundTensor> {
    const bound = new Map<string, BoundTensor>();
    const missing: string[] = [];
    const misshaped: string[] = [];
    const foreign: string[] = [];
    for (const { role, shape } of requests) {
      const names = this.#layout.stored(role);
      const part = partShape(shape, names.length);
      const dtypes = new Set<string>();
      for (const name of names) {
        const tensor = this.tensors.get(name);
        if (tensor === undefined) {
          missing.push(name);
          continue;
        }
        dtypes.add(tensor.dtype);
        if (canonicalView(tensor.view, role, part) === undefined)
          misshaped.push(`${name} is ${shapeText(tensor.shape)} instead of ${shapeText(part)}`);
        if (!isWeightDtype(tensor.dtype)) foreign.push(`${name} is ${tensor.dtype}`);
      }
      const [dtype] = dtypes;
      if (dtypes.size > 1) foreign.push(`the parts of ${role} are ${[...dtypes].join(" and ")}`);
      else if (dtype !== undefined && isWeightDtype(dtype)) bound.set(role, { role, dtype, shape, names });
    }
    this.#report(missing, misshaped, foreign);
    return bound;
  }

  async readRows(
    tensor: BoundTensor,
    first: number,
    count: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    checkRows(tensor, first, count);
    const target = allocate(count * storedRowBytes(tensor), tensor.role);
    await this.readRowsInto(tensor, first, count, target, signal);
    return target;
  }

  async readRowsInto(
    tensor: BoundTensor,
    first: number,
    count: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    checkRows(tensor, first, count);
    const rowBytes = storedRowBytes(tensor);
    if (target.length !== count * rowBytes)
      throw new JanusError(
        "E_INTERNAL",
        `reading ${tensor.role}: expected a target of ${count * rowBytes} bytes, got ${target.length}`,
      );
    const part = partShape(tensor.shape, tensor.names.length);
    const partRows = part[0] ?? 1;
    for (const [i, name] of tensor.names.entries()) {
      const from = Math.max(first, i * partRows);
      const to = Math.min(first + count, (i + 1) * partRows);
      const view = canonicalView(this.tensors.get(name)!.view, tensor.role, part);
      if (from >= to || view === undefined) continue;
      const piece = target.subarray((from - first) * rowBytes, (to - first) * rowBytes);
      await readViewRows(this.#source, view, from - i * partRows, to - from, piece, signal);
    }
  }

  #report(missing: readonly string[], misshaped: readonly string[], foreign: readonly string[]): void {
    const problems: string[] = [];
    if (missing.length > 0) problems.push(`${missing.length} missing: ${listed(missing, MAX_LISTED)}`);
    if (misshaped.length > 0)
      problems.push(`${misshaped.length} not of the shape that config.json implies: ${listed(misshaped, MAX_LISTED)}`);
    if (foreign.length > 0)
      problems.push(`${foreign.length} not one of F32, F16, BF16: ${listed(foreign, MAX_LISTED)}`);
    if (problems.length === 0) return;
    const code = misshaped.length > 0 ? "E_CONFIG" : missing.length > 0 ? "E_FORMAT" : "E_UNSUPPORTED";
    throw new JanusError(
      code,
      `binding the tensors of ${quote(this.#source.label)}: found ${problems.join("; ")}; do config.json and the weights belong together?`,
      { origin: "model" },
    );
  }
}

function checkRows(tensor: BoundTensor, first: number, count: number): void {
  const [rows = 1] = tensor.shape;
  if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 0 || first + count > rows)
    throw new JanusError(
      "E_INTERNAL",
      `reading ${tensor.role}: expected rows within ${rows}, got ${count} from ${first}`,
    );
}

/** The shape of each of `count` equal parts stacked along dimension 0. */
function partShape(shape: readonly number[], count: number): number[] {
  return count === 1 ? [...shape] : [shape[0]! / count, ...shape.slice(1)];
}

/** The view in its canonical shape, without the leading 1 of the original's pos_embed; undefined when the shapes differ. */
function canonicalView(view: FileView, role: string, shape: readonly number[]): FileView | undefined {
  const extra = role === "pos_embed" && view.shape.length === shape.length + 1 && view.shape[0] === 1 ? 1 : 0;
  if (view.shape.length !== shape.length + extra) return undefined;
  if (!shape.every((dimension, i) => dimension === view.shape[extra + i])) return undefined;
  return { ...view, shape, strides: view.strides.slice(extra) };
}
