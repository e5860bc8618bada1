/**
 * dst[n] = sum over k of w[n, k], for the columns of panels [panelBegin, panelEnd): what a zero point of the levels is multiplied with (`multiply-int8.ts`).
 *
 *   dst     i32 [columns rounded up to 8]
 *   panels  w [columns, k] i8, laid out by `tiles/panel-int8.ts`
 */
import { FOUR_BYTES, int8PanelBytes } from "../tiles/panel-int8";
import { PANEL_BYTES } from "../tiles/product";

export function sumInt8(dst: usize, panels: usize, k: usize, panelBegin: usize, panelEnd: usize): void {
  const panelStep = int8PanelBytes(k);
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    let low = i32x4.splat(0);
    let high = low;
    let at = panels + panel * panelStep;
    for (const end = at + panelStep; at < end; at += FOUR_BYTES) {
      low = i32x4.add(low, sumFours(v128.load(at)));
      high = i32x4.add(high, sumFours(v128.load(at, 16)));
    }
    v128.store(dst + panel * PANEL_BYTES, low);
    v128.store(dst + panel * PANEL_BYTES, high, 16);
  }
}

function sumFours(words: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(words));
}
