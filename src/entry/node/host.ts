import { readFile } from "node:fs/promises";
import type { Host } from "../host.js";
import type { MessageWorker } from "../message-worker.js";
import { availableThreads } from "./available-threads.js";
import type { Decoder } from "./decoder.js";
import { flagsInForce, offeredFlags } from "./engine-flags.js";
import { loadImage } from "./image-input.js";
import { openModelSource } from "./model-source.js";
import { bootThread, startTokenizer } from "./tokenizer.js";
import { startComputeWorker } from "./workers.js";

/** Node: worker threads for compute and text, a child process for decoding, directories for weights. */
export function nodeHost(): Host {
  const threads = availableThreads();
  // Loaded with the first picture that is not there as pixels: no process that needs none loads node:child_process.
  let decoder: Promise<Decoder> | undefined;
  const decode: Decoder["decode"] = async (bytes, label, signal) => {
    decoder ??= import("./decoder.js").then(({ createDecoder }) => createDecoder());
    return (await decoder).decode(bytes, label, signal);
  };
  let spareThread: MessageWorker | undefined;
  return {
    engine: `node ${process.versions.node} (V8 ${process.versions.v8})`,
    engineFlags: flagsInForce,
    offeredFlags,
    availableThreads: () => threads,
    binary: async (variant) => new Uint8Array(await readFile(new URL(`../../wasm/${variant}.wasm`, import.meta.url))),
    startWorker: () => startComputeWorker(),
    openModel: openModelSource,
    expectPrompt() {
      spareThread ??= bootThread();
    },
    startTokenizer(files, options) {
      const booted = spareThread;
      spareThread = undefined;
      return startTokenizer(files, options, booted);
    },
    decode: (image, index, signal) => loadImage(image, index, { decode }, signal),
    async dispose() {
      await (await decoder)?.dispose();
      decoder = undefined;
      await spareThread?.terminate();
      spareThread = undefined;
    },
  };
}
