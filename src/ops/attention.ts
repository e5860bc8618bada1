import type { Pointer } from "../wasm/abi.js";
import { ATTENTION_ROWS, attentionScratchBytes, PANEL, panelElements } from "../wasm/abi.js";
import type { ProductContext, Rows } from "./context.js";
import { offset } from "./context.js";

/** Query rows of one kernel call: 60 rows of 576 scores are 138 KB and stay in L2 between q·kᵀ, softmax and P·v. */
const QUERY_ROWS = ATTENTION_ROWS;

export interface AttentionShape {
  readonly tokens: number;
  readonly heads: number;
  readonly headWidth: number;
}

/** f32 elements of the key panels, and of the value panels, of all heads. */
export function keyPanelElements(s: AttentionShape): number {
  return s.heads * panelElements(s.tokens, s.headWidth);
}

export function valuePanelElements(s: AttentionShape): number {
  return s.heads * panelElements(s.headWidth, s.tokens);
}

/** Scratch that `attention` needs of each worker, in bytes. */
export function attentionScratch(s: AttentionShape): number {
  return attentionScratchBytes(Math.min(QUERY_ROWS, s.tokens), s.tokens);
}

/**
 * out [tokens, heads*headWidth] = softmax(q kᵀ / sqrt(headWidth)) v for every head, from qkv [tokens, 3*heads*headWidth] = q | k | v.
 * siglip_vit.py Attention.forward, without its projections. `keys` and `values` are buffers of the panel sizes above.
 */
export function attention(
  x: ProductContext,
  out: Rows,
  qkv: Rows,
  keys: Pointer,
  values: Pointer,
  s: AttentionShape,
): void {
  const width = s.heads * s.headWidth;
  const keyStep = panelElements(s.tokens, s.headWidth);
  const valueStep = panelElements(s.headWidth, s.tokens);
  const packed = x.team.share(s.heads);
  for (let head = packed.begin; head < packed.end; head++) {
    const k = offset(qkv.at, width + head * s.headWidth);
    const v = offset(qkv.at, 2 * width + head * s.headWidth);
    x.kernels.packPanels(offset(keys, head * keyStep), k, s.headWidth, qkv.stride, 4, 0, 0, s.tokens);
    const valuePanels = offset(values, head * valueStep);
    x.kernels.packColumns(valuePanels, v, s.headWidth, s.tokens, qkv.stride, 0, Math.ceil(s.headWidth / PANEL));
  }
  x.team.barrier();
  const blocks = Math.ceil(s.tokens / QUERY_ROWS);
  const tasks = x.team.share(s.heads * blocks);
  for (let task = tasks.begin; task < tasks.end; task++) {
    x.team.poll();
    const head = Math.floor(task / blocks);
    const row = (task % blocks) * QUERY_ROWS;
    x.kernels.attention(
      offset(out.at, head * s.headWidth),
      offset(qkv.at, head * s.headWidth),
      offset(keys, head * keyStep),
      offset(values, head * valueStep),
      x.scratch,
      s.tokens,
      s.headWidth,
      1 / Math.sqrt(s.headWidth),
      qkv.stride,
      out.stride,
      row,
      Math.min(row + QUERY_ROWS, s.tokens),
      x.tile,
    );
  }
  x.team.barrier();
}
