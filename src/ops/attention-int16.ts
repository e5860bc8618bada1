import type { Pointer } from "../wasm/abi.js";
import {
  ATTENTION_ROWS,
  attentionInt16ScratchBytes,
  int16PanelBytes,
  MAX_LEVELS,
  PANEL,
  POWER_LEVELS,
} from "../wasm/abi.js";
import type { AttentionInputs, AttentionShape } from "./attention.js";
import type { Blocks, ProductContext } from "./context.js";
import { offset } from "./context.js";

/** The first integer that a sum must not reach. */
const LIMIT = 2 ** 31;

/** Panels of one task of quantising: 16 KB of keys of 64, 150 KB of values of 576 tokens. */
const TASK_PANELS = 8;

/** Levels of queries and keys: as many as a score leaves room for, the same of both. 5792 of heads of 64. */
export function scoreLevels(headWidth: number): number {
  return Math.min(MAX_LEVELS, Math.floor(Math.sqrt((LIMIT - 1) / headWidth)));
}

/** Levels of values: what numerators and their number leave of a sum. 909 of 576 tokens. */
export function valueLevels(tokens: number): number {
  return Math.min(MAX_LEVELS, Math.floor((LIMIT - 1) / ((POWER_LEVELS + 1) * tokens)));
}

/** Bytes of the levels of the keys and the values of all heads. */
export function headLevelBytes(s: AttentionShape): number {
  return s.heads * (int16PanelBytes(s.tokens, s.headWidth) + int16PanelBytes(s.headWidth, s.tokens));
}

/** Scratch that `attentionInt16` needs of each worker, in bytes. */
export function attentionInt16Scratch(s: AttentionShape): number {
  return attentionInt16ScratchBytes(Math.min(ATTENTION_ROWS, s.tokens), s.tokens, s.headWidth);
}

/**
 * `attention` of a model in 8 bits, by products of 16: the keys of all heads and then the values become levels, in the memory of x.levels, which is free between two
 * linears; then every block of one head's query rows is a task.
 */
export function attentionInt16(x: ProductContext, out: Blocks, inputs: AttentionInputs, s: AttentionShape): void {
  const { at: keys, form } = x.levels;
  const keyStep = int16PanelBytes(s.tokens, s.headWidth);
  const valueStep = int16PanelBytes(s.headWidth, s.tokens);
  const values = offset(keys, s.heads * keyStep, 1);
  const levels = scoreLevels(s.headWidth);
  quantise(x, keys, inputs.keys, s.headWidth, levels, s.heads * Math.ceil(s.tokens / PANEL));
  quantise(x, values, inputs.values, s.tokens, valueLevels(s.tokens), s.heads * Math.ceil(s.headWidth / PANEL));
  const queryStep = s.tokens * s.headWidth;
  const blocks = Math.ceil(s.tokens / ATTENTION_ROWS);
  x.team.each(s.heads * blocks, (task) => {
    x.team.poll();
    const head = Math.floor(task / blocks);
    const row = (task % blocks) * ATTENTION_ROWS;
    x.kernels.attentionInt16(
      out.at,
      offset(inputs.queries, head * queryStep),
      offset(keys, head * keyStep, 1),
      offset(values, head * valueStep, 1),
      x.scratch,
      form,
      s.tokens,
      s.headWidth,
      head * s.headWidth,
      1 / Math.sqrt(s.headWidth),
      levels,
      row,
      Math.min(row + ATTENTION_ROWS, s.tokens),
      x.int8Tile,
    );
  });
  x.team.barrier();
}

/** Panels of all heads, one after another. */
function quantise(x: ProductContext, dst: Pointer, src: Pointer, k: number, levels: number, panels: number): void {
  x.team.each(Math.ceil(panels / TASK_PANELS), (task) => {
    const begin = task * TASK_PANELS;
    x.kernels.quantisePanels(dst, src, x.levels.form, k, levels, begin, Math.min(begin + TASK_PANELS, panels));
  });
  x.team.barrier();
}
