/**
 * Panels of 8-bit weights: 8 columns side by side, four k of a column in one word. Element k of column n of a matrix lies at byte
 * (n / 8) * 8 * K + (k / 4) * 32 + (n % 8) * 4 + k % 4, K being its k rounded up to 4; what is beyond its own k is zero.
 *
 *   one panel, k down:   n=0: k 0 1 2 3 | n=1: k 0 1 2 3 | … | n=7: k 0 1 2 3
 *                        n=0: k 4 5 6 7 | …
 *
 * A word is what a fused 8-bit dot takes of a column. Where products are made of 16-bit dots a block of the panel is widened first, to pairs of k:
 * i16 [k / 2][8][2].
 */

import { LEVEL_BLOCK } from "./column-block";
import { PANEL } from "./product";

/** k of one word. */
export const FOUR: usize = 4;

/** Bytes of a panel for four k, as stored and widened. */
export const FOUR_BYTES: usize = 32;
export const FOUR_WIDENED_BYTES: usize = 64;

/** Bytes of one widened block of a panel. */
export const BLOCK_BYTES: usize = (LEVEL_BLOCK / FOUR) * FOUR_WIDENED_BYTES;

/** Bytes of one panel: k in fours. */
export function int8PanelBytes(k: usize): usize {
  return PANEL * ((k + (FOUR - 1)) & ~(FOUR - 1));
}

/** target i16 [2 * fours, 8, 2] = source i8 [fours, 8, 4]. They must not overlap. */
export function widenPanel(target: usize, source: usize, fours: usize): void {
  const end = source + fours * FOUR_BYTES;
  for (; source < end; source += FOUR_BYTES, target += FOUR_WIDENED_BYTES) {
    const low = v128.load(source);
    const high = v128.load(source, 16);
    // The first two k of eight columns, then the last two.
    const front = i8x16.shuffle(low, high, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
    const back = i8x16.shuffle(low, high, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
    v128.store(target, i16x8.extend_low_i8x16_s(front));
    v128.store(target, i16x8.extend_high_i8x16_s(front), 16);
    v128.store(target, i16x8.extend_low_i8x16_s(back), 32);
    v128.store(target, i16x8.extend_high_i8x16_s(back), 48);
  }
}
