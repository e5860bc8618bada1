import { JanusError, quote } from "../../errors.js";
import { httpSource } from "../../weights/http-source.js";
import { givenSource, lent } from "../given-source.js";
import type { Host, ModelInput, ModelSource } from "../host.js";
import { startInProcessTokenizer } from "../in-process-tokenizer.js";
import { startInProcessWorker } from "../in-process-worker.js";
import { loadImage, type PictureOptions } from "./image-input.js";

/** The binaries of one thread, compiled by the host when the worker was deployed: it compiles nothing later. */
export interface Binaries {
  readonly simd: WebAssembly.Module;
  readonly relaxed: WebAssembly.Module;
}

/** An edge worker: one thread for all, precompiled modules, no files, and decoders that the caller brings. */
export function edgeHost(binaries: Binaries, pictures: PictureOptions): Host {
  return {
    engine: engineName(),
    sharesMemory: false,
    engineFlags: () => [],
    offeredFlags: () => [],
    availableThreads: () => 1,
    oneThread: "an edge worker has no others",
    async binary(variant) {
      if (variant === "simd" || variant === "relaxed") return binaries[variant];
      throw new JanusError("E_INTERNAL", `loading: variant ${variant} was asked for where there are no threads`);
    },
    startWorker: startInProcessWorker,
    openModel: async (model) => openModel(model),
    expectPrompt() {},
    startTokenizer: startInProcessTokenizer,
    decode: (image, index, signal) => loadImage(image, index, pictures, signal),
    async dispose() {},
  };
}

/** An http(s) URL, or storage of the caller's own. */
function openModel(model: ModelInput): ModelSource {
  if (typeof model !== "string" && !(model instanceof URL)) return givenSource(model);
  if (!/^https?:\/\//i.test(String(model))) {
    throw new JanusError(
      "E_USAGE",
      `opening ${quote(String(model), 200)}: expected an http(s) URL or a WeightSource on an edge worker; of a hub give https://…/resolve/main, of a bucket r2Source(bucket, prefix)`,
      { origin: "usage" },
    );
  }
  return { ...lent(httpSource(model, { sparing: true })), remote: true };
}

function engineName(): string {
  const { navigator, EdgeRuntime } = globalThis as { navigator?: { userAgent?: string }; EdgeRuntime?: unknown };
  return navigator?.userAgent ?? (typeof EdgeRuntime === "string" ? EdgeRuntime : "an edge worker");
}
