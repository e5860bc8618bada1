/**
 * The packed form of a checkpoint: ordinary safetensors files whose tensors lie as the kernels read them, in execution order, described by `__metadata__`.
 * `models/FORMAT.md` is the contract.
 */
import { quote } from "../errors.js";
import { checkedElements, isWeightDtype } from "./dtype.js";
import { type LayoutName, layoutNamed } from "./layout.js";
import { isPacked, PACKED_FORMAT } from "./packed-mark.js";
import { malformed, unsupported } from "./refusals.js";

/** The value of `version` in `__metadata__`. */
const VERSION = "1";

/** Columns of a panel, and k of a word of 8-bit weights. Part of the format. */
const PANEL = 8;
const WORD = 4;

/** The token table is cut into tensors of about this size, so that no shard need be larger; the last one has what is left. */
const RANGE_BYTES = 4 << 20;

export type PackedLayout = "panels8" | "panels8x4" | "vector8" | "rows";

/** A tensor of a packed file, and the shape of what it holds. */
export interface PackedTensor {
  readonly name: string;
  readonly layout: PackedLayout;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** What all files of one packing have in common. */
export interface Packing {
  /** fp32, bf16, fp16, int8: what most of it is in. */
  readonly dtype: string;
  /** How the source named its tensors, and so how its configuration is written. */
  readonly names: LayoutName;
  /** SHA-256 of every weight file that was packed, by its name, in hexadecimal digits. */
  readonly source: ReadonlyMap<string, string>;
}

/** The description of one tensor: how it lies, what it holds, and SHA-256 of its bytes. */
export interface Description {
  readonly layout: PackedLayout;
  readonly shape: readonly number[];
  readonly sha256: string;
}

interface WithMetadata {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The stored shape: panels and vectors are filled up to whole panels with zeros. Undefined when it leaves the safe integers. */
export function storedShape(layout: PackedLayout, shape: readonly number[]): readonly number[] | undefined {
  const [rows = 1, ...rest] = shape;
  const k = checkedElements(rest);
  const count = checkedElements(shape);
  if (k === undefined || count === undefined) return undefined;
  const panels = Math.ceil(rows / PANEL);
  switch (layout) {
    case "panels8":
      return [panels, k, PANEL];
    case "panels8x4":
      return [panels, Math.ceil(k / WORD), PANEL, WORD];
    case "vector8":
      return [Math.ceil(count / PANEL) * PANEL];
    case "rows":
      return shape;
  }
}

/** Which dtypes a layout comes in. */
export function fitsLayout(layout: PackedLayout, dtype: string): boolean {
  if (layout === "panels8x4") return dtype === "I8";
  return layout === "vector8" ? dtype === "F32" : isWeightDtype(dtype);
}

/** The role of the scales that belong to an 8-bit weight. */
export function scalesOf(weight: string): string {
  return weight.replace(/\.weight$/, ".scales");
}

/** The name of the token table's tensor `index`. */
export function rangeName(index: number): string {
  return `embed_tokens.weight.rows.${index}`;
}

/** Rows of each of the token table's tensors but the last. */
export function rangeRows(rowBytes: number): number {
  return Math.max(1, Math.floor(RANGE_BYTES / rowBytes));
}

/** The `__metadata__` of a file with these tensors; `sha256` has one text for every tensor. */
export function packedMetadata(
  packing: Packing,
  tensors: readonly PackedTensor[],
  sha256: readonly string[],
): Record<string, string> {
  const metadata: Record<string, string> = {
    format: PACKED_FORMAT,
    version: VERSION,
    dtype: packing.dtype,
    names: packing.names,
  };
  for (const [file, digest] of packing.source) metadata[`source.${file}`] = digest;
  for (const [at, { name, layout, shape }] of tensors.entries())
    metadata[name] = `layout=${layout} shape=${shape.join(",")} sha256=${sha256[at]}`;
  return metadata;
}

/** What the files say of their packing. Throws E_UNSUPPORTED for another version, E_FORMAT when one file is not of the same packing as the first. */
export function readPacking(files: readonly WithMetadata[]): Packing {
  const [first] = files.map(readOne);
  for (const [at, file] of files.entries()) {
    if (at > 0 && packingText(readOne(file)) !== packingText(first!))
      throw malformed(
        file.path,
        `expected a file of the same packing as ${quote(files[0]!.path)}, found another; pack the checkpoint again`,
      );
  }
  return first!;
}

function readOne({ path, metadata }: WithMetadata): Packing {
  if (!isPacked({ metadata }))
    throw malformed(path, "expected a file of a packed checkpoint, as the others are, found none");
  const version = metadata.get("version");
  if (version !== VERSION)
    throw unsupported(
      path,
      `expected version ${VERSION} of the packed format, found ${quote(version)}; pack the checkpoint again with this release, or use a newer one`,
    );
  const dtype = metadata.get("dtype") ?? "";
  const names = layoutNamed(metadata.get("names"));
  if (!/^[a-z0-9]{1,16}$/.test(dtype) || names === undefined)
    throw malformed(path, "expected dtype and names in the metadata of a packed file, found none that are known");
  const source = new Map<string, string>();
  for (const [key, value] of metadata) if (key.startsWith("source.")) source.set(key.slice("source.".length), value);
  return { dtype, names, source };
}

function packingText({ dtype, names, source }: Packing): string {
  return JSON.stringify([dtype, names, [...source].sort(([a], [b]) => (a < b ? -1 : 1))]);
}

const LAYOUTS: ReadonlySet<string> = new Set<PackedLayout>(["panels8", "panels8x4", "vector8", "rows"]);
const DESCRIPTION = /^layout=([a-z0-9]{1,32}) shape=(\d{1,15}(?:,\d{1,15}){0,7}) sha256=([0-9a-f]{64})$/;

/** How the tensor `name` of a packed file lies. Throws E_FORMAT for one that is not described, E_UNSUPPORTED for a layout of another release. */
export function describe({ path, metadata }: WithMetadata, name: string): Description {
  const text = metadata.get(name);
  const [, layout, shape, sha256] = DESCRIPTION.exec(text ?? "") ?? [];
  if (layout === undefined || shape === undefined || sha256 === undefined)
    throw malformed(
      path,
      `expected layout, shape and sha256 of tensor ${quote(name)} in the metadata, found ${text === undefined ? "nothing" : quote(text)}`,
    );
  if (!LAYOUTS.has(layout))
    throw unsupported(
      path,
      `expected one of the layouts ${[...LAYOUTS].join(", ")} of tensor ${quote(name)}, found ${quote(layout)}; pack the checkpoint again with this release`,
    );
  return { layout: layout as PackedLayout, shape: shape.split(",").map(Number), sha256 };
}
