/** janus-wasm for browsers with every part in it from the beginning, for where nothing is imported later: service workers have no `import()`. */
import "./packed.js";
import "./torch.js";
import "./stream.js";

export * from "./index.js";
