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

export type { ErrorCode, ErrorOrigin } from "../../errors.js";
export { JanusError } from "../../errors.js";
export type { JanusConfig } from "../../model/config.js";
export type { Tensor, TensorType } from "../../tensor.js";
export type { Blobs } from "../../weights/blob-source.js";
export { blobSource } from "../../weights/blob-source.js";
export type { FileBytes } from "../../weights/bytes-source.js";
export { bytesSource } from "../../weights/bytes-source.js";
export type { EncodedFile } from "../../weights/encoded-file.js";
export type { FloatDtype } from "../../weights/float-chunks.js";
export { httpSource } from "../../weights/http-source.js";
export type { HttpOptions, RemoteFile, RemoteSource } from "../../weights/remote-source.js";
export type { WeightSource } from "../../weights/source.js";
export type { Items } from "../ahead.js";
export { type ModelResult, toNpy, toSafetensors, toTorch } from "../hand-over.js";
export type { ImageInput, ModelInput } from "../host.js";
export type { CallOptions, EmbedResult, EncodeResult, FuseInputs, ModelInputs } from "../janus.js";
export type { DTypeOption, ProgressEvent } from "../options.js";
export type { EmbedRequest, Prepared } from "../prepare.js";
export type { Stages } from "../stages.js";
export type { Runtime } from "../start.js";
export type { Timings } from "../timings.js";
export type { Sequences } from "../unpadded.js";
export type { BrowserLoadOptions as LoadOptions } from "./options.js";
export { clearStoredWeights, persistStorage, type StorageStatus, storageStatus } from "./storage.js";
