/** janus-wasm/transformers for browsers, beside their entry: an error is of one class, wherever it comes from. */
export { PrepareInputsEmbedsSession } from "./session.js";
