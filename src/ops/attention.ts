import type { Pointer } from "../wasm/abi.js";
import { ATTENTION_ROWS, attentionScratchBytes, panelElements } from "../wasm/abi.js";
import type { Blocks, ProductContext } from "./context.js";
import { offset } from "./context.js";

export interface AttentionShape {
  readonly tokens: number;
  readonly heads: number;
  readonly headWidth: number;
}

/** What `linearHeads` writes and `attention` reads, all heads one after another. */
export interface AttentionInputs {
  /** f32 [heads, tokens, headWidth] */
  readonly queries: Pointer;
  /** Panels of 8 tokens, headWidth deep: `keyElements`. */
  readonly keys: Pointer;
  /** Panels of 8 columns, as deep as there are tokens: `valueElements`. */
  readonly values: Pointer;
}

/** f32 elements of the queries, the key panels and the value panels of all heads. */
export function queryElements(s: AttentionShape): number {
  return s.heads * s.tokens * s.headWidth;
}

export function keyElements(s: AttentionShape): number {
  return s.heads * panelElements(s.tokens, s.headWidth);
}

export function valueElements(s: AttentionShape): number {
  return s.heads * panelElements(s.headWidth, s.tokens);
}

/** Scratch that `attention` needs of each worker, in bytes. */
export function attentionScratch(s: AttentionShape): number {
  return attentionScratchBytes(Math.min(ATTENTION_ROWS, s.tokens), s.tokens);
}

/**
 * out [tokens, heads*headWidth] = softmax(q kᵀ / sqrt(headWidth)) v for every head. siglip_vit.py Attention.forward, without its projections. A task is
 * a block of one head's query rows, whose scores stay in L2 between q·kᵀ, softmax and P·v.
 */
export function attention(x: ProductContext, out: Blocks, inputs: AttentionInputs, s: AttentionShape): void {
  const queryStep = s.tokens * s.headWidth;
  const keyStep = panelElements(s.tokens, s.headWidth);
  const valueStep = panelElements(s.headWidth, s.tokens);
  const blocks = Math.ceil(s.tokens / ATTENTION_ROWS);
  x.team.each(s.heads * blocks, (task) => {
    x.team.poll();
    const head = Math.floor(task / blocks);
    const row = (task % blocks) * ATTENTION_ROWS;
    x.kernels.attention(
      out.at,
      offset(inputs.queries, head * queryStep),
      offset(inputs.keys, head * keyStep),
      offset(inputs.values, head * valueStep),
      x.scratch,
      s.tokens,
      s.headWidth,
      head * s.headWidth,
      1 / Math.sqrt(s.headWidth),
      row,
      Math.min(row + ATTENTION_ROWS, s.tokens),
      x.tile,
    );
  });
  x.team.barrier();
}
