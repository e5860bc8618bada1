/// <reference lib="esnext.disposable" preserve="true" />
/** janus-wasm for Node. */
import type { ModelInput } from "../host.js";
import { JanusModel } from "../janus.js";
import type { LoadOptions } from "../options.js";
import { nodeHost } from "./host.js";

/**
 * Loads models: `const janus = await Janus.load("models/demo")`.
 *
 * @example
 * const janus = await Janus.load("models/demo");
 * const out = await janus.embed({ question: "What is in the image?", images: ["scene.png"] });
 * out.inputsEmbeds; // { type: "float32", dims: [1, T, D], data: Float32Array }
 * await janus.dispose();
 */
export const Janus = {
  /**
   * A checkpoint, ready to embed: a directory, an http(s) base URL, a hub id (`owner/name`, `owner/name@revision`), files (Blobs, Files or bytes by path, or
   * a list of Files), or a WeightSource. JanusError E_CONFIG, E_FORMAT, E_NETWORK, E_INTEGRITY, E_NUMERIC, E_OOM and others by design.
   */
  load(model: ModelInput, options: LoadOptions = {}): Promise<JanusModel> {
    return JanusModel.load(nodeHost(), model, options);
  },
};

/** A loaded model. */
export type Janus = JanusModel;

export * from "../api.js";
export type { LoadOptions } from "../options.js";
export { directorySource } from "./directory.js";
export { writeSafetensors } from "./write-safetensors.js";
