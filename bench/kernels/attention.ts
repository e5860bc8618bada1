import {
  ATTENTION_ROWS,
  attentionScratchBytes,
  blockElements,
  COLUMN_BLOCK,
  PANEL,
  panelElements,
  TILE,
  type TileName,
} from "#dist/wasm/abi.js";
import { f32 } from "#dist/wasm/memory.js";
import type { Variant } from "#dist/wasm/variants.js";
import { bed } from "./memory.js";

/** One head of a Janus-Pro block. */
const TOKENS = 576;
const HEAD_WIDTH = 64;
const SCALE = HEAD_WIDTH ** -0.5;

/** Query rows in whole blocks. */
const WHOLE_BLOCKS = Math.floor(TOKENS / ATTENTION_ROWS) * ATTENTION_ROWS;

export interface AttentionCase {
  readonly name: string;
  /** Floating-point operations of the two products of one block of rows; the softmax between them is not counted. */
  readonly flop: number;
  run(): void;
}

/** One head, a block of query rows at a time as ops/attention.ts takes them, its answer checked: throws when an element is off. */
export function attentionCase(variant: Variant, tile: TileName): AttentionCase {
  const { kernels, memory, take, fill } = bed(variant);
  const elements = TOKENS * HEAD_WIDTH;
  const [q, k] = [take(elements * 4), take(elements * 4)] as const;
  const out = take(blockElements(TOKENS, HEAD_WIDTH) * 4);
  const keys = take(panelElements(TOKENS, HEAD_WIDTH) * 4);
  const values = take(panelElements(HEAD_WIDTH, TOKENS) * 4);
  const scratch = take(attentionScratchBytes(ATTENTION_ROWS, TOKENS));
  fill(q, elements, 1);
  fill(k, elements, 2);
  fill(values, elements, 3);
  kernels.packPanels(keys, k, HEAD_WIDTH, HEAD_WIDTH, 4, 0, 0, TOKENS);
  const block = (row: number, end: number): void =>
    kernels.attention(out, q, keys, values, scratch, TOKENS, HEAD_WIDTH, 0, SCALE, row, end, TILE[tile]);
  for (let row = 0; row < TOKENS; row += ATTENTION_ROWS) block(row, Math.min(row + ATTENTION_ROWS, TOKENS));
  const view = (at: typeof q): Float32Array => f32(memory, at, elements);
  verify(view(q), view(k), view(values), f32(memory, out, TOKENS * COLUMN_BLOCK));
  let next = 0;
  const run = (): void => {
    block(next, next + ATTENTION_ROWS);
    next = (next + ATTENTION_ROWS) % WHOLE_BLOCKS;
  };
  const flop = 4 * ATTENTION_ROWS * TOKENS * HEAD_WIDTH;
  return { name: `${variant} attention ${TOKENS}x${HEAD_WIDTH} ${tile}`, flop, run };
}

/**
 * A few rows against float64. Scores here stay below 64 / 8 and come from chains of 64 products: each probability is right within
 * 2 * 68 u * 8 and the sums of the contract, (576 / 4 + 20 + 260) u: 1600 u at most, of values below 1.
 */
function verify(q: Float32Array, k: Float32Array, values: Float32Array, out: Float32Array): void {
  // Value panels of 8 columns, as deep as there are tokens.
  const v = (t: number, i: number): number => values[(i - (i % PANEL)) * TOKENS + t * PANEL + (i % PANEL)] ?? 0;
  for (const r of [0, 59, 60, 301, 575]) {
    const scores = Array.from({ length: TOKENS }, (_, t) => {
      let dot = 0;
      for (let i = 0; i < HEAD_WIDTH; i++) dot += (q[r * HEAD_WIDTH + i] ?? 0) * (k[t * HEAD_WIDTH + i] ?? 0);
      return dot * SCALE;
    });
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    for (let i = 0; i < HEAD_WIDTH; i++) {
      const want = powers.reduce((total, power, t) => total + (power / sum) * v(t, i), 0);
      const got = out[r * COLUMN_BLOCK + i] ?? Number.NaN;
      if (!(Math.abs(got - want) <= 1600 * 2 ** -24))
        throw new Error(`attention [${r},${i}]: ${got}, expected ${want}`);
    }
  }
}
