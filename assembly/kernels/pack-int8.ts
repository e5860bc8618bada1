/**
 * Quantises rows [rowBegin, rowEnd) of a weight src [out, k] to 8 bits and packs them as columns of 8-bit panels (`tiles/panel-int8.ts`): per output channel, symmetric.
 *
 *   dst     i8 panels; row r is column n = columnBegin + (r - rowBegin), k rounded up to 4 with zeros
 *   scales  f32, that of column n at n: largest |src[r]| / 127, zero for a row of zeros
 *   src     [out, k] of the given storage
 *
 * The level is round(src * (127 / largest)), to nearest, ties to even, in f32: |src - scale * level| <= scale / 2, and the largest becomes 127 exactly. A row below
 * 2^-100 counts as zeros. The same bytes in every build. `dst` must not overlap `src`; other columns are left untouched.
 */
import { LEAST_RANGE } from "../simd/level";
import { largestLane, loadPartial } from "../simd/partial";
import { STORAGE_F32, storageBytes, widenElements } from "../simd/widen";
import { FOUR, FOUR_BYTES, int8PanelBytes } from "../tiles/panel-int8";
import { PANEL } from "../tiles/product";

const LARGEST: f32 = 127;

export function packInt8(
  dst: usize,
  scales: usize,
  src: usize,
  scratch: usize,
  k: usize,
  storage: i32,
  columnBegin: usize,
  rowBegin: usize,
  rowEnd: usize,
): void {
  const panelStep = int8PanelBytes(k);
  const rowBytes = k * storageBytes(storage);
  for (let row = rowBegin; row < rowEnd; row++) {
    const column = columnBegin + (row - rowBegin);
    let source = src + row * rowBytes;
    if (storage !== STORAGE_F32) {
      widenElements(scratch, source, k, storage);
      source = scratch;
    }
    const largest = magnitude(source, k);
    const some = largest > LEAST_RANGE;
    store<f32>(scales + (column << 2), some ? largest / LARGEST : 0);
    const steps = f32x4.splat(some ? LARGEST / largest : 0);
    let target = dst + (column / PANEL) * panelStep + (column % PANEL) * FOUR;
    for (let i: usize = 0; i < k; i += FOUR, target += FOUR_BYTES) {
      const x = f32x4.mul(loadPartial(source + (i << 2), k - i), steps);
      const level = i32x4.trunc_sat_f32x4_s(f32x4.nearest(x));
      const halves = i16x8.narrow_i32x4_s(level, level);
      v128.store32_lane(target, i8x16.narrow_i16x8_s(halves, halves), 0);
    }
  }
}

/** The largest |element|. */
function magnitude(row: usize, k: usize): f32 {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < k; i += 4) largest = f32x4.pmax(largest, f32x4.abs(loadPartial(row + (i << 2), k - i)));
  return largestLane(largest);
}
