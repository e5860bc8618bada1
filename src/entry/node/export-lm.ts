/** Writes the language model of a Janus checkpoint as a complete directory that LlamaForCausalLM loads. */

import { storedRowBytes } from "../../weights/bound-tensor.js";
import type { Checkpoint } from "../../weights/checkpoint.js";
import { dtypeBytes } from "../../weights/dtype.js";
import { encodeSafetensorsHeader } from "../../weights/safetensors.js";
import type { WeightSource } from "../../weights/source.js";
import { type LanguageTensor, openLanguageModel } from "../language-model.js";
import { nodeHost } from "./host.js";
import { type OutputFile, refuseExistingDirectory, writeDirectoryAtomically } from "./output-directory.js";
import { companionFiles, cutShards, indexFiles, jsonFile, type Shard } from "./shard-files.js";

export interface ExportOptions {
  /** Every file of weights stays below this many bytes; one file otherwise. */
  readonly shardSize?: number | undefined;
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes written so far, and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was written. */
export interface ExportResult {
  readonly dtype: string;
  /** Every file and its bytes. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** Taken along as they are; tokenizer_config.json as `openLanguageModel` has it. */
const COMPANIONS = [
  "tokenizer.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "tokenizer.model",
  "generation_config.json",
];

/** Rows are read and written in pieces of about this size: what is held of the weights at a time. */
const PIECE_BYTES = 8 << 20;

/** As transformers writes it, whose older readers refuse a file without. */
const METADATA = { format: "pt" };

/**
 * Writes the language model of `model` into the directory `output`, every tensor as it is stored, under the names of LlamaForCausalLM. A piece of 8 MB is held in
 * memory at a time.
 *
 * @throws JanusError E_USAGE and E_IO of origin "output" (as `writeDirectoryAtomically`), E_USAGE for a shard size that a tensor does not fit in; whatever
 * `openLanguageModel` throws; the signal's reason. The directory is complete or as it was.
 */
export async function exportLanguageModel(
  model: string | WeightSource,
  output: string,
  options: ExportOptions = {},
): Promise<ExportResult> {
  const { shardSize, force = false, signal, onProgress } = options;
  const host = nodeHost();
  const source = await host.openModel(model, signal);
  try {
    const { checkpoint, config, tokenizerConfig, tensors } = await openLanguageModel(source, signal);
    const shards = cutShards(tensors, { limit: shardSize, bytesOf, operation: "export-lm" });
    const total = sum(tensors);
    let done = 0;
    const onBytes = (bytes: number): void => {
      done += bytes;
      onProgress?.(done, total);
    };
    const named = shards.map(({ name, items }) => ({ name, tensors: items.map((tensor) => tensor.name) }));
    const companions = await companionFiles(source, COMPANIONS, signal);
    const tokenizer = tokenizerConfig ? [jsonFile("tokenizer_config.json", tokenizerConfig)] : [];
    const small = [jsonFile("config.json", config), ...tokenizer, ...companions, ...indexFiles(named, total)];
    const files = [...small, ...shards.map((shard) => shardFile(checkpoint, shard, onBytes, signal))];
    await refuseExistingDirectory(
      output,
      force,
      files.map((file) => file.name),
    );
    const expectedBytes = shards.reduce((bytes, { items }) => bytes + bytesOf(items), 0);
    const written = await writeDirectoryAtomically(output, files, { force, signal, expectedBytes });
    return { dtype: String(config["torch_dtype"]), files: written };
  } finally {
    await source.close();
    await host.dispose();
  }
}

function shardFile(
  checkpoint: Checkpoint,
  { name, items }: Shard<LanguageTensor>,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): OutputFile {
  const tensors = aligned(items);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield headerOf(tensors);
    for (const { bound } of tensors) {
      const [rows = 1] = bound.shape;
      const step = Math.max(1, Math.floor(PIECE_BYTES / storedRowBytes(bound)));
      // One buffer for the tensor: the writer is done with a piece when it asks for the next.
      const room = new Uint8Array(Math.min(step, rows) * storedRowBytes(bound));
      for (let first = 0; first < rows; first += step) {
        const count = Math.min(step, rows - first);
        const piece = room.subarray(0, count * storedRowBytes(bound));
        await checkpoint.readRowsInto(bound, first, count, piece, signal);
        yield piece;
        onBytes(piece.byteLength);
      }
    }
  }
  return { name, chunks: chunks() };
}

/** Wide dtypes first, so that every tensor begins at a multiple of its own; else in the order of the forward pass. */
function aligned(tensors: readonly LanguageTensor[]): LanguageTensor[] {
  return tensors.toSorted((a, b) => dtypeBytes(b.bound.dtype) - dtypeBytes(a.bound.dtype));
}

function headerOf(tensors: readonly LanguageTensor[]): Uint8Array<ArrayBuffer> {
  const layouts = tensors.map(({ name, bound: { dtype, shape } }) => ({ name, dtype, shape }));
  return encodeSafetensorsHeader(layouts, METADATA);
}

function bytesOf(tensors: readonly LanguageTensor[]): number {
  return headerOf(tensors).byteLength + sum(tensors);
}

function sum(tensors: readonly LanguageTensor[]): number {
  return tensors.reduce((total, { bytes }) => total + bytes, 0);
}
