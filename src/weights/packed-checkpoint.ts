import { quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import type { BoundTensor, LocatedTensor, TensorRequest, Unbound } from "./bound-tensor.js";
import { checkTarget, readBoundRows, readPartsInto, refuseUnbound } from "./bound-tensor.js";
import type { Checkpoint, LocatedFile } from "./checkpoint.js";
import type { BoundDtype } from "./dtype.js";
import type { LayoutName } from "./layout.js";
import type { Description } from "./packed.js";
import { describe, fitsLayout, rangeName, readPacking, scalesOf, storedShape } from "./packed.js";
import { malformed } from "./refusals.js";
import type { RowRange, Seals } from "./seals.js";
import type { Shards, WeightFormat } from "./shards.js";
import type { WeightSource } from "./source.js";
import { type VerifiedTensor, verifyTensors } from "./verify.js";
import { type Extent, extentOf, type FileView } from "./view.js";

/**
 * Of the token table so much is read and compared at a time, for one row of 4 KB, too: 12,800 digests of DeepSeek's 400 MB, and about 2 MB more to read for a question.
 */
const SEALED_BYTES = 32 << 10;

interface DescribedTensor extends LocatedTensor {
  readonly file: string;
  readonly description: Description;
}

const TABLE = "embed_tokens.weight";
const RANGE = /^embed_tokens\.weight\.rows\.\d+$/;

/** What `files`, of which at least one is packed, hold. Throws E_FORMAT and E_UNSUPPORTED as `readPacking` and `describe` do, and E_FORMAT for a tensor that is not as it is described. */
export async function openPacked(
  source: WeightSource,
  shards: Shards,
  files: readonly LocatedFile[],
): Promise<Checkpoint> {
  return new PackedCheckpoint(source, shards, files);
}

/** A checkpoint in packed form: tensors are named by their roles, and lie as they will in memory. */
class PackedCheckpoint implements Checkpoint {
  readonly layout: LayoutName;
  readonly format: WeightFormat;
  readonly packed: string;
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, DescribedTensor>;
  readonly #source: WeightSource;
  /** The token table's tensors, in order. */
  readonly #ranges: readonly DescribedTensor[];
  /** Once it was verified. */
  #seals: Seals | undefined;

  constructor(source: WeightSource, shards: Shards, files: readonly LocatedFile[]) {
    const { dtype, names } = readPacking(files);
    this.layout = names;
    this.format = shards.format;
    this.packed = dtype;
    this.files = shards.files;
    this.#source = source;
    this.tensors = new Map(
      files.flatMap((file) => file.tensors.map((tensor) => [tensor.name, described(file, tensor)])),
    );
    const ranges: DescribedTensor[] = [];
    for (let range = this.tensors.get(rangeName(0)); range; range = this.tensors.get(rangeName(ranges.length)))
      ranges.push(range);
    this.#ranges = ranges;
    const lost = [...this.tensors.values()].find(
      ({ name }) => RANGE.test(name) && !ranges.some((range) => range.name === name),
    );
    if (lost)
      throw malformed(
        lost.file,
        `expected ${quote(rangeName(ranges.length))} before ${quote(lost.name)}, found none; files are missing, or of different packings`,
      );
  }

  tableShape(): readonly number[] | undefined {
    const [first] = this.#ranges;
    if (first === undefined) return undefined;
    return [this.#ranges.reduce((rows, { shape }) => rows + (shape[0] ?? 0), 0), ...first.shape.slice(1)];
  }

  bind(requests: readonly TensorRequest[]): ReadonlyMap<string, BoundTensor> {
    const bound = new Map<string, BoundTensor>();
    const wrong = { missing: [] as string[], misshaped: [] as string[], foreign: [] as string[] };
    for (const { role, shape } of requests) {
      if (role === TABLE) this.#bindTable(shape, bound, wrong);
      else this.#bindOne(role, shape, bound, wrong);
    }
    refuseUnbound(this.#source, wrong);
    return bound;
  }

  #bindOne(role: string, shape: readonly number[], bound: Map<string, BoundTensor>, wrong: Writable<Unbound>): void {
    const tensor = this.tensors.get(role);
    if (tensor === undefined) {
      wrong.missing.push(role);
      return;
    }
    const { description, dtype } = tensor;
    if (description.shape.join() !== shape.join())
      wrong.misshaped.push(`${role} is ${shapeText(description.shape)} instead of ${shapeText(shape)}`);
    const matrix = role.endsWith(".weight") && shape.length > 1;
    if (matrix ? !description.layout.startsWith("panels") : description.layout !== "vector8")
      throw malformed(
        tensor.file,
        `expected ${matrix ? "panels" : "a vector"} of tensor ${quote(role)}, found ${description.layout}`,
      );
    bound.set(role, {
      role,
      dtype: dtype as BoundDtype,
      shape: tensor.shape,
      names: [role],
      layout: description.layout,
    });
    if (description.layout === "panels8x4") this.#bindOne(scalesOf(role), shape.slice(0, 1), bound, wrong);
  }

  #bindTable(shape: readonly number[], bound: Map<string, BoundTensor>, wrong: Writable<Unbound>): void {
    const [first] = this.#ranges;
    const found = this.tableShape();
    if (first === undefined || found === undefined) {
      wrong.missing.push(rangeName(0));
      return;
    }
    const strange = this.#ranges.find(
      (range) =>
        range.description.layout !== "rows" ||
        range.dtype !== first.dtype ||
        range.shape.slice(1).join() !== first.shape.slice(1).join(),
    );
    if (strange !== undefined)
      throw malformed(
        strange.file,
        `expected rows as those of ${quote(rangeName(0))} in tensor ${quote(strange.name)}, found others`,
      );
    if (found.join() !== shape.join())
      wrong.misshaped.push(`the token table is ${shapeText(found)} instead of ${shapeText(shape)}`);
    const names = this.#ranges.map(({ name }) => name);
    bound.set(TABLE, { role: TABLE, dtype: first.dtype as BoundDtype, shape: found, names, layout: "rows" });
  }

  readRows(tensor: BoundTensor, first: number, count: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return readBoundRows(tensor, first, count, (target) => this.readRowsInto(tensor, first, count, target, signal));
  }

  async readRowsInto(
    tensor: BoundTensor,
    first: number,
    count: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const read = (from: number, rows: number, into: Uint8Array): Promise<void> =>
      readPartsInto(this.#source, tensor, this.#views(tensor), from, rows, into, signal);
    if (!this.#seals?.has(tensor.role)) return read(first, count, target);
    checkTarget(tensor, first, count, target);
    return this.#seals.read(tensor, first, count, target, read);
  }

  extents(tensor: BoundTensor, signal?: AbortSignal): Promise<Extent[]> {
    return Promise.all(this.#views(tensor).map((view) => extentOf(view, signal)));
  }

  #views(tensor: BoundTensor): FileView[] {
    return tensor.names.map((name) => this.tensors.get(name)!.view);
  }

  async verify(again: readonly RowRange[] = [], signal?: AbortSignal): Promise<void> {
    const verified: VerifiedTensor[] = [];
    for (const tensor of this.tensors.values()) {
      if (this.#ranges.includes(tensor)) continue;
      const sealed = again.filter(({ role }) => role === tensor.name);
      verified.push({ ...tensor, sha256: tensor.description.sha256, role: tensor.name, first: 0, sealed });
    }
    let first = 0;
    for (const tensor of this.#ranges) {
      const [rows = 0] = tensor.shape;
      const group = Math.max(1, Math.floor(SEALED_BYTES / (tensor.bytes / rows)));
      const sealed = [{ first: 0, count: rows, group }];
      verified.push({ ...tensor, sha256: tensor.description.sha256, role: TABLE, first, sealed });
      first += rows;
    }
    this.#seals = await verifyTensors(this.#source, verified, signal);
  }
}

type Writable<T extends Unbound> = { readonly [K in keyof T]: string[] };

function described(file: LocatedFile, tensor: LocatedTensor): DescribedTensor {
  const description = describe(file, tensor.name);
  const { layout, shape } = description;
  const expected = storedShape(layout, shape);
  if (expected?.join() !== tensor.shape.join() || !fitsLayout(layout, tensor.dtype))
    throw malformed(
      file.path,
      `expected tensor ${quote(tensor.name)} as its layout ${layout} of ${shapeText(shape)} says, found ${tensor.dtype} ${shapeText(tensor.shape)}`,
    );
  return { ...tensor, layout, file: file.path, description };
}
