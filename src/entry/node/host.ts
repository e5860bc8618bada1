import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Host } from "../host.js";
import { createDecoder, type Decoder } from "./decoder.js";
import { flagsInForce, offeredFlags } from "./engine-flags.js";
import { loadImage } from "./image-input.js";
import { openModelSource } from "./model-source.js";
import { startTokenizer } from "./tokenizer.js";
import { startComputeWorker } from "./workers.js";

/** Beyond this many threads the rows of one image are too few to share. */
const AUTO_THREADS_MAX = 16;

/** Node: worker threads for compute and text, a child process for decoding, directories for weights. */
export function nodeHost(): Host {
  let decoder: Decoder | undefined;
  return {
    engine: `node ${process.versions.node} (V8 ${process.versions.v8})`,
    engineFlags: flagsInForce,
    offeredFlags,
    availableThreads: () => Math.min(availableParallelism(), AUTO_THREADS_MAX),
    binary: async (variant) => new Uint8Array(await readFile(new URL(`../../wasm/${variant}.wasm`, import.meta.url))),
    startWorker: () => startComputeWorker(),
    openModel: openModelSource,
    startTokenizer,
    decode(image, index, signal) {
      decoder ??= createDecoder();
      return loadImage(image, index, decoder, signal);
    },
    async dispose() {
      await decoder?.dispose();
      decoder = undefined;
    },
  };
}
