/** What a checkpoint directory consists of beside its tensors: how they are cut into files, the index of those, and the small files taken along. */
import { JanusError, quote } from "../../errors.js";
import type { WeightSource } from "../../weights/source.js";
import type { OutputFile } from "./output-directory.js";

/** Some of a checkpoint, in one file. */
export interface Shard<T> {
  readonly name: string;
  readonly items: readonly T[];
}

export interface ShardSizes<T> {
  /** Every file stays below this many bytes; one file without it. */
  readonly limit: number | undefined;
  /** Bytes of a file that holds these, its header included. */
  readonly bytesOf: (items: readonly T[]) => number;
  /** What is being done, for messages. */
  readonly operation: string;
}

/** A small file may hold this much; the largest published tokenizers have 40 MB. */
const COMPANION_BYTES = 256 * 2 ** 20;

/**
 * The items in order, each file as full as the limit allows, named as transformers names them.
 *
 * @throws JanusError E_USAGE for an item that fits in no file.
 */
export function cutShards<T extends { readonly name: string }>(
  items: readonly T[],
  { limit, bytesOf, operation }: ShardSizes<T>,
): Shard<T>[] {
  const cut: T[][] = [];
  for (const item of items) {
    const last = cut.at(-1);
    if (limit !== undefined && bytesOf([item]) >= limit)
      throw new JanusError(
        "E_USAGE",
        `${operation}: expected a shard size of more than ${bytesOf([item])} bytes, which ${quote(item.name)} takes, got ${limit}`,
        { origin: "usage" },
      );
    if (last && (limit === undefined || bytesOf([...last, item]) < limit)) last.push(item);
    else cut.push([item]);
  }
  const digits = (index: number): string => String(index).padStart(5, "0");
  return cut.map((items, index) => ({
    name: cut.length === 1 ? "model.safetensors" : `model-${digits(index + 1)}-of-${digits(cut.length)}.safetensors`,
    items,
  }));
}

/** model.safetensors.index.json, where there is more than one file: which tensor lies in which, and the bytes of all. */
export function indexFiles(
  shards: readonly { readonly name: string; readonly tensors: readonly string[] }[],
  bytes: number,
): OutputFile[] {
  if (shards.length === 1) return [];
  const entries = shards.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor, name]));
  return [
    jsonFile("model.safetensors.index.json", {
      metadata: { total_size: bytes },
      weight_map: Object.fromEntries(entries),
    }),
  ];
}

export function jsonFile(name: string, value: object): OutputFile {
  return { name, chunks: [new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)] };
}

/** Those of the named files that the checkpoint has, as they are. E_FORMAT for one that is not small. */
export async function companionFiles(
  source: WeightSource,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<OutputFile[]> {
  const files: OutputFile[] = [];
  for (const name of names) {
    const size = await source.size(name, signal);
    if (size === undefined) continue;
    if (size > COMPANION_BYTES)
      throw new JanusError("E_FORMAT", `reading ${name}: expected at most ${COMPANION_BYTES} bytes, found ${size}`, {
        origin: "model",
      });
    files.push({ name, chunks: [await source.read(name, 0, size, signal)] });
  }
  return files;
}
