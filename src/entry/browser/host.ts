import { JanusError, quote } from "../../errors.js";
import type { Host } from "../host.js";
import type { MessageWorker } from "../message-worker.js";
import { startTokenizerThread } from "../tokenizer-thread.js";
import { locateAssets } from "./assets.js";
import { createDecoder } from "./decoder.js";
import { loadImage } from "./image-input.js";
import { openModelSource } from "./model-source.js";
import type { BrowserOptions } from "./options.js";
import { HAS_WORKERS, startComputeWorker, startWorker } from "./workers.js";

/** Beyond this many threads the rows of one image are too few to share. */
const AUTO_THREADS_MAX = 16;

/** A page, or a worker of one: Web Workers for compute, text and pictures; a service worker does all of it itself. */
export function browserHost(options: BrowserOptions = {}): Host {
  const assets = locateAssets(options.assetsBase);
  const oneThread = whyOneThread();
  const decoder = createDecoder(() => startWorker("pictures", assets));
  const boot = (): MessageWorker => startWorker("texts", assets);
  let spare: MessageWorker | undefined;
  return {
    engine: engineName(),
    engineFlags: () => [],
    offeredFlags: () => [],
    availableThreads: () =>
      oneThread === undefined ? Math.min(AUTO_THREADS_MAX, navigator.hardwareConcurrency || 1) : 1,
    oneThread,
    sharesMemory: HAS_WORKERS && typeof SharedArrayBuffer !== "undefined",
    binary: assets.binary,
    startWorker: () => startComputeWorker(assets),
    openModel: (model, signal) => openModelSource(model, options, signal),
    expectPrompt() {
      spare ??= boot();
    },
    startTokenizer(files, tokenizerOptions) {
      const booted = spare;
      spare = undefined;
      return startTokenizerThread(files, tokenizerOptions, { boot, booted, died });
    },
    decode: (image, index, signal) => loadImage(image, index, decoder, signal),
    async dispose() {
      await decoder.dispose();
      await spare?.terminate();
      spare = undefined;
    },
  };
}

/** Threads share memory, and that is given to isolated pages alone. */
function whyOneThread(): string | undefined {
  if (!HAS_WORKERS) return "a service worker cannot start workers";
  if (globalThis.crossOriginIsolated) return undefined;
  return "page is not cross-origin isolated (its server sends Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp for that)";
}

/** Name and version as the browser gives them, which is all that pages are told. */
function engineName(): string {
  const agent = navigator.userAgent;
  const [, name, version] = /(Firefox|Edg|Chrome)\/([\d.]+)/.exec(agent) ?? /(Version)\/([\d.]+)/.exec(agent) ?? [];
  return name === undefined ? quote(agent, 200) : `${name === "Version" ? "Safari" : name} ${version}`;
}

function died(error: unknown): JanusError {
  return new JanusError("E_INTERNAL", `the tokenizer's worker ended: ${quote(String(error), 200)}`, { cause: error });
}
