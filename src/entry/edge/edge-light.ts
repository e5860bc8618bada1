/// <reference lib="esnext.disposable" preserve="true" />
/** janus-wasm for hosts that take the `edge-light` condition, as Vercel's: their bundlers make modules of what is imported with `?module`. */
import relaxed from "../../wasm/relaxed.wasm?module";
import simd from "../../wasm/simd.wasm?module";
import type { JanusModel } from "../janus.js";
import { type EdgeJanus, edgeJanus } from "./janus.js";

/** Loads models: `const janus = await Janus.load("https://example.com/model/")`. */
export const Janus: EdgeJanus = edgeJanus({ simd, relaxed });

/** A loaded model. */
export type Janus = JanusModel;

export * from "./api.js";
