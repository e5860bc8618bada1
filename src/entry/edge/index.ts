/// <reference lib="esnext.disposable" preserve="true" />
/** janus-wasm for workerd: Cloudflare Workers, and hosts that take the `workerd` condition. */
import relaxed from "../../wasm/relaxed.wasm";
import simd from "../../wasm/simd.wasm";
import type { JanusModel } from "../janus.js";
import { type EdgeJanus, edgeJanus } from "./janus.js";

/**
 * Loads models: `const janus = await Janus.load(assetsSource(env.ASSETS, "/model"))`, in a request, once for an isolate.
 *
 * Calls of several requests queue, and workerd never finishes what a request began that has ended: keep each with `context.waitUntil(call)`, and give no call the
 * request's own `signal`, which rejects it before its turn is over.
 *
 * @example
 * const janus = await Janus.load(r2Source(env.MODELS, "janus-pro-1b"), { decoders: { jpeg } });
 * const out = await janus.embed({ question: "What is in the image?", images: [await request.arrayBuffer()] });
 */
export const Janus: EdgeJanus = edgeJanus({ simd, relaxed });

/** A loaded model. */
export type Janus = JanusModel;

export * from "./api.js";
