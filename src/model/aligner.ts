import type { ProductContext } from "../ops/context.js";
import { linear } from "../ops/linear.js";
import { EPILOGUE, type Pointer } from "../wasm/abi.js";
import type { JanusConfig } from "./config.js";
import type { Activations, Weights } from "./plan.js";

/**
 * The aligner on one image: activations.normed [P,W] to image embeddings [P,D], both in column blocks; returns where they lie.
 *
 * projector.py MlpProjector: Linear, then (GELU, Linear) as often as the depth says; "linear" is depth 1, "identity" depth 0.
 */
export function projectImage(x: ProductContext, config: JanusConfig, w: Weights, a: Activations): Pointer {
  const { tokens: rows } = config;
  let from = { at: a.normed, rows };
  w.aligner.forEach((layer, n) => {
    const to = { at: a.embeds[n % 2 === 0 ? 0 : 1], rows };
    // The GELU that stands before the next Linear is applied where this one stores.
    const last = n === w.aligner.length - 1;
    linear(x, to, from, layer, { epilogue: last ? EPILOGUE.none : EPILOGUE.gelu });
    from = to;
  });
  return from.at;
}
