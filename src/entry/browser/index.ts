/// <reference lib="esnext.disposable" preserve="true" />
/** janus-wasm for browsers: pages, workers, service workers and extensions. */
import type { ModelInput } from "../host.js";
import { JanusModel } from "../janus.js";
import { browserHost } from "./host.js";
import type { BrowserLoadOptions } from "./options.js";

/**
 * Loads models: `const janus = await Janus.load("/models/demo")`.
 *
 * @example
 * const janus = await Janus.load("/models/demo");
 * const out = await janus.embed({ question: "What is in the image?", images: [input.files[0]] });
 * out.inputsEmbeds; // { type: "float32", dims: [1, T, D], data: Float32Array }
 * await janus.dispose();
 */
export const Janus = {
  /**
   * A checkpoint, ready to embed: an http(s) base URL (also relative to the page: `./models/demo`), a hub id (`owner/name`, `owner/name@revision`), files (Blobs, Files or
   * bytes by path, or the list of Files that a folder picker gives), or a WeightSource. JanusError E_CONFIG, E_FORMAT, E_NETWORK, E_INTEGRITY, E_NUMERIC, E_OOM and
   * others by design.
   */
  async load(model: ModelInput, options: BrowserLoadOptions = {}): Promise<JanusModel> {
    return JanusModel.load(browserHost(options), model, options);
  },
};

/** A loaded model. */
export type Janus = JanusModel;

export * from "../api.js";
export type { BrowserLoadOptions as LoadOptions } from "./options.js";
export { clearStoredWeights, persistStorage, type StorageStatus, storageStatus } from "./storage.js";
