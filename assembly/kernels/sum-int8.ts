/**
 * dst[n] = sum over k of w[n, k], for the columns of panels [panelBegin, panelEnd): what a zero point of the levels is multiplied with (`multiply-int8.ts`). For form 3 of the levels
 * sum of w[n, k] * w[n, k + 2] over k = 0, 1 of every four: what `tiles/crossed.ts` has too much.
 *
 *   dst     i32 [columns rounded up to 8]
 *   panels  w [columns, k] i8, laid out by `tiles/panel-int8.ts`
 */
import { CROSSED, crossed } from "../simd/level";
import { FOUR_BYTES, int8PanelBytes } from "../tiles/panel-int8";
import { PANEL_BYTES } from "../tiles/product";

export function sumInt8(dst: usize, panels: usize, form: i32, k: usize, panelBegin: usize, panelEnd: usize): void {
  const panelStep = int8PanelBytes(k);
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    let low = i32x4.splat(0);
    let high = low;
    let at = panels + panel * panelStep;
    for (const end = at + panelStep; at < end; at += FOUR_BYTES) {
      const front = v128.load(at);
      const back = v128.load(at, 16);
      low = i32x4.add(low, form === CROSSED ? crossFours(front) : sumFours(front));
      high = i32x4.add(high, form === CROSSED ? crossFours(back) : sumFours(back));
    }
    v128.store(dst + panel * PANEL_BYTES, low);
    v128.store(dst + panel * PANEL_BYTES, high, 16);
  }
}

function sumFours(words: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(words));
}

function crossFours(words: v128): v128 {
  const front = crossed(i16x8.extend_low_i8x16_s(words));
  const back = crossed(i16x8.extend_high_i8x16_s(words));
  return i8x16.shuffle(front, back, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
