/**
 * Columns of f32 panels as symmetric levels of 16 bits: round(w / scale), scale[n] = the largest magnitude of column n / levels; panels [panelBegin, panelEnd).
 *
 *   dst     panels of `tiles/row-int16.ts`, one after another
 *   src     f32 [panels, k, 8], what `finishHeads` writes of keys and values; columns that it leaves as they are become levels that nobody uses
 *   form    of the levels of 8-bit products: terms are for CROSSED alone, and zero in the others
 *   levels  at most 16383
 *
 * To nearest, ties to even. A column without range, of zeros alone or below 2^-100, has scale 0 and levels 0; with a NaN or an infinity in it the scale is NaN. The bytes depend on the column alone
 * and are the same in every build. |w - scale * level| <= scale / 2, but for rounding.
 */
import { CROSSED, LEAST_RANGE, nearestPairs } from "../simd/level";
import { PANEL_BYTES } from "../tiles/product";
import { APART, GROUP, int16PanelBytes, scalesOf } from "../tiles/row-int16";

export function quantisePanels(
  dst: usize,
  src: usize,
  form: i32,
  k: usize,
  levels: f32,
  panelBegin: usize,
  panelEnd: usize,
): void {
  const step = int16PanelBytes(k);
  const sourceStep = k * PANEL_BYTES;
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    const target = dst + panel * step;
    const source = src + panel * sourceStep;
    const scales = scalesOf(target, k);
    quantiseFour(target, source, form, k, levels, scales);
    quantiseFour(target + 16, source + 16, form, k, levels, scales + 16);
  }
}

/** Four columns of a panel. */
function quantiseFour(dst: usize, src: usize, form: i32, k: usize, levels: f32, scales: usize): void {
  const end = src + k * PANEL_BYTES;
  const zero = f32x4.splat(0);
  let largest = zero;
  let wrong = zero;
  for (let at = src; at < end; at += PANEL_BYTES) {
    const w = v128.load(at);
    largest = f32x4.pmax(largest, f32x4.abs(w));
    wrong = f32x4.add(wrong, f32x4.mul(w, zero));
  }
  const some = f32x4.gt(largest, f32x4.splat(LEAST_RANGE));
  const steps = v128.and(f32x4.div(f32x4.splat(levels), largest), some);
  v128.store(scales, f32x4.add(v128.and(f32x4.div(largest, f32x4.splat(levels)), some), wrong));
  let terms = i32x4.splat(0);
  for (let group = src; group < end; group += GROUP * PANEL_BYTES) {
    const whole = group + GROUP * PANEL_BYTES <= end;
    const half = group + APART * PANEL_BYTES;
    for (let row = group; row < half; row += 2 * PANEL_BYTES, dst += 2 * PANEL_BYTES) {
      const front = whole ? pairs(row, steps) : partialPairs(row, end, steps);
      const back = whole ? pairs(row + PANEL_BYTES, steps) : partialPairs(row + PANEL_BYTES, end, steps);
      v128.store(dst, front);
      v128.store(dst, back, PANEL_BYTES);
      terms = i32x4.add(terms, i32x4.dot_i16x8_s(front, back));
    }
  }
  v128.store(scales, form === CROSSED ? terms : i32x4.splat(0), PANEL_BYTES);
}

function pairs(row: usize, steps: v128): v128 {
  return nearestPairs(v128.load(row), v128.load(row, APART * PANEL_BYTES), steps);
}

/** The same where rows from `end` on do not exist. */
function partialPairs(row: usize, end: usize, steps: v128): v128 {
  const zero = f32x4.splat(0);
  const other = row + APART * PANEL_BYTES;
  return nearestPairs(row < end ? v128.load(row) : zero, other < end ? v128.load(other) : zero, steps);
}
