/// <reference lib="esnext.disposable" preserve="true" />
/** janus-wasm in transformers.js: what its MultiModalityCausalLM takes in place of the `prepare_inputs_embeds` session. */
export type { FeedTensor } from "./feeds.js";
export type { EmbeddingModel, PrepareInputsEmbedsOptions, TensorClass } from "./session.js";
export { PrepareInputsEmbedsSession } from "./session.js";
