import { quote } from "../errors.js";
import { type JsonLimits, parseJson } from "./json.js";
import { listed, malformed, unreadable } from "./refusals.js";
import { recognise } from "./signature.js";
import { sizeIfAny, type WeightSource } from "./source.js";

export type WeightFormat = "safetensors" | "torch";

/** The files that together hold a checkpoint; `index` says which of them holds which tensor, when there is one. */
export interface Shards {
  readonly format: WeightFormat;
  readonly files: readonly string[];
  readonly index: { readonly path: string; readonly shardOf: ReadonlyMap<string, string> } | undefined;
}

/** In transformers' order of preference. */
const CANDIDATES: readonly { readonly path: string; readonly format: WeightFormat; readonly index: boolean }[] = [
  { path: "model.safetensors", format: "safetensors", index: false },
  { path: "model.safetensors.index.json", format: "safetensors", index: true },
  { path: "pytorch_model.bin", format: "torch", index: false },
  { path: "pytorch_model.bin.index.json", format: "torch", index: true },
];

/** Depth: the file, weight_map or metadata, and two to spare. An entry takes about 120 bytes, so 250,000 tensors. */
const INDEX_LIMITS: JsonLimits = { bytes: 32 * 2 ** 20, depth: 4, values: 300_000 };
/** The bound of huggingface.js; the largest public checkpoints have a few hundred. */
const MAX_SHARDS = 10_000;
/** A plain file name: nothing that a file system or a URL would read as a way out of the directory. */
const PLAIN_NAME = /^[^/\\:?#%\p{C}\p{Zl}\p{Zp}]{1,255}$/u;

/** Finds the weight files of a checkpoint. Throws E_IO when there are none or a shard is missing, E_FORMAT for a malformed index. */
export async function findShards(source: WeightSource, signal?: AbortSignal): Promise<Shards> {
  for (const { path, format, index } of CANDIDATES) {
    const size = await sizeIfAny(source, path, signal);
    if (size === undefined) continue;
    if (!index) return { format, files: [path], index: undefined };
    return readIndex(source, path, size, format, signal);
  }
  const looked = CANDIDATES.map(({ path }) => path).join(", ");
  throw unreadable(
    quote(source.label),
    `expected one of ${looked}, found none; is this the directory of a checkpoint?`,
  );
}

async function readIndex(
  source: WeightSource,
  path: string,
  size: number,
  format: WeightFormat,
  signal: AbortSignal | undefined,
): Promise<Shards> {
  if (size > INDEX_LIMITS.bytes)
    throw malformed(path, `expected an index of at most ${INDEX_LIMITS.bytes} bytes, found ${size}`);
  const bytes = await source.read(path, 0, size, signal);
  const known = recognise(bytes, "json");
  if (known !== undefined) throw malformed(path, `expected JSON, found ${known}`);
  const index = parseJson(bytes, INDEX_LIMITS, (reason) => malformed(path, reason));
  const map = index instanceof Map ? index.get("weight_map") : undefined;
  if (!(map instanceof Map)) throw malformed(path, "expected an object with the member weight_map, found none");
  const shardOf = new Map<string, string>();
  for (const [name, shard] of map) {
    if (typeof shard !== "string" || !PLAIN_NAME.test(shard) || shard === "." || shard === "..")
      throw malformed(
        path,
        `expected ${quote(name)} in a file of the same directory, found ${quote(shard)}; a path out of it is not followed`,
      );
    shardOf.set(name, shard);
  }
  const files = [...new Set(shardOf.values())].sort();
  if (files.length > MAX_SHARDS) throw malformed(path, `expected at most ${MAX_SHARDS} shards, found ${files.length}`);
  const missing: string[] = [];
  for (const file of files) if ((await source.size(file, signal)) === undefined) missing.push(quote(file));
  if (missing.length > 0)
    throw unreadable(
      path,
      `expected ${files.length} shards in ${quote(source.label)}, found ${missing.length} missing: ${listed(missing)}; download them`,
    );
  return { format, files, index: { path, shardOf } };
}
