/** transformers.js' session: a part for pages that import janus-wasm/transformers. */
export * from "../transformers/index.js";
export * from "./index.js";
