import { readFile } from "node:fs/promises";
import type { Host } from "../host.js";
import { availableThreads } from "./available-threads.js";
import { createDecoder, type Decoder } from "./decoder.js";
import { flagsInForce, offeredFlags } from "./engine-flags.js";
import { loadImage } from "./image-input.js";
import { openModelSource } from "./model-source.js";
import { startTokenizer } from "./tokenizer.js";
import { startComputeWorker } from "./workers.js";

/** Node: worker threads for compute and text, a child process for decoding, directories for weights. */
export function nodeHost(): Host {
  let decoder: Decoder | undefined;
  const threads = availableThreads();
  return {
    engine: `node ${process.versions.node} (V8 ${process.versions.v8})`,
    engineFlags: flagsInForce,
    offeredFlags,
    availableThreads: () => threads,
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
