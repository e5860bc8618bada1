import { JanusError, quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import {
  type BoundTensor,
  type LocatedTensor,
  readBoundRows,
  readPartsInto,
  refuseUnbound,
  type StoredTensor,
  type TensorRequest,
} from "./bound-tensor.js";
import { dtypeBytes, isWeightDtype } from "./dtype.js";
import { detectLayout, type Layout, type LayoutName } from "./layout.js";
import { openPacked } from "./packed-checkpoint.js";
import { isPacked } from "./packed-mark.js";
import { malformed } from "./refusals.js";
import { parseSafetensors } from "./safetensors.js";
import type { RowRange } from "./seals.js";
import { findShards, type Shards, type WeightFormat } from "./shards.js";
import type { WeightSource } from "./source.js";
import { locateTorch } from "./torch-checkpoint.js";
import { type Extent, extentOf, type FileView, rowMajor } from "./view.js";

export interface Checkpoint {
  readonly layout: LayoutName;
  readonly format: WeightFormat;
  /** The precision a packed checkpoint was made in; undefined of one as its authors published it. */
  readonly packed: string | undefined;
  /** The weight files, without their index. */
  readonly files: readonly string[];
  /** Every stored tensor, used or not; the names of the bound tensors tell which are. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The shape of the token table; undefined when there is none. */
  tableShape(): readonly number[] | undefined;
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
  /** Where the bytes of a tensor lie: one extent for each of its parts. */
  extents(tensor: BoundTensor, signal?: AbortSignal): Promise<Extent[]>;
  /**
   * Reads every tensor and compares it with the checksum that a packed checkpoint has of it. E_INTEGRITY names file and
   * tensor; E_UNSUPPORTED where there are no checksums. From then on rows of the token table, and of what is read `again`
   * and again (each tensor as the ranges it is read in, all of it), are compared whenever they are read.
   */
  verify(again?: readonly RowRange[], signal?: AbortSignal): Promise<void>;
}

/** What one weight file holds. */
export interface LocatedFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: readonly LocatedTensor[];
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
  const files: LocatedFile[] = [];
  for (const path of shards.files) {
    const file = await read(source, path, signal);
    files.push(file);
    for (const tensor of file.tensors) {
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
  if (files.some(isPacked)) return openPacked(source, shards, files);
  return new OpenCheckpoint(source, shards, tensors, detectLayout(tensors.keys(), quote(source.label)));
}

async function locateSafetensors(source: WeightSource, path: string, signal?: AbortSignal): Promise<LocatedFile> {
  const { tensors, metadata } = await parseSafetensors(source, path, signal);
  const located = [...tensors.values()].map(({ name, dtype, shape, begin, end }) => {
    const start = (): Promise<number> => Promise.resolve(begin);
    const view = { path, itemBytes: dtypeBytes(dtype), shape, strides: rowMajor(shape), start };
    return { name, dtype, shape, bytes: end - begin, view };
  });
  return { path, metadata, tensors: located };
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
  readonly packed = undefined;
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

  tableShape(): readonly number[] | undefined {
    const [name] = this.#layout.stored("embed_tokens.weight");
    return this.tensors.get(name!)?.shape;
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
    refuseUnbound(this.#source, { missing, misshaped, foreign });
    return bound;
  }

  async verify(): Promise<void> {
    throw new JanusError(
      "E_UNSUPPORTED",
      `verifying ${quote(this.#source.label)}: expected a packed checkpoint, which has checksums, found one without; pack it, or compare the files with those of its publisher`,
      { origin: "model" },
    );
  }

  readRows(tensor: BoundTensor, first: number, count: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return readBoundRows(tensor, first, count, (target) => this.readRowsInto(tensor, first, count, target, signal));
  }

  readRowsInto(
    tensor: BoundTensor,
    first: number,
    count: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    return readPartsInto(this.#source, tensor, this.#views(tensor), first, count, target, signal);
  }

  extents(tensor: BoundTensor, signal?: AbortSignal): Promise<Extent[]> {
    return Promise.all(this.#views(tensor).map((view) => extentOf(view, signal)));
  }

  #views(tensor: BoundTensor): FileView[] {
    const part = partShape(tensor.shape, tensor.names.length);
    // Bound: every part is there, in this shape.
    return tensor.names.map((name) => canonicalView(this.tensors.get(name)!.view, tensor.role, part)!);
  }
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
