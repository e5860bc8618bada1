/** All that a page can import, in one file: an error is of one class, wherever it comes from. */
export * from "../transformers/index.js";
export * from "./index.js";
