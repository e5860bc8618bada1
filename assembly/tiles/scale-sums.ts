/**
 * What becomes of the integer sums of a panel when they are complete, in place: rows of 8, up to `end`. The same bytes in every build.
 *
 *   zero, scale             i32 and f32 [rows], of the levels
 *   weightSum, weightScale  i32 and f32 [8], of the columns
 */
import { PANEL_BYTES } from "./product";

/** sums[r, n] -= zero[r] * weightSum[n], i32 all of them: what zero points added, taken away again. */
export function removeZeros(sums: usize, end: usize, zero: usize, weightSum: usize): void {
  const low = v128.load(weightSum);
  const high = v128.load(weightSum, 16);
  for (; sums < end; sums += PANEL_BYTES, zero += 4) {
    const x = v128.load32_splat(zero);
    v128.store(sums, i32x4.sub(v128.load(sums), i32x4.mul(x, low)));
    v128.store(sums, i32x4.sub(v128.load(sums, 16), i32x4.mul(x, high)), 16);
  }
}

/** sums[r, n] -= rowTerm[r] + columnTerm[n], i32 all of them: what `crossed.ts` has too much. */
export function removeTerms(sums: usize, end: usize, rowTerm: usize, columnTerm: usize): void {
  const low = v128.load(columnTerm);
  const high = v128.load(columnTerm, 16);
  for (; sums < end; sums += PANEL_BYTES, rowTerm += 4) {
    const x = v128.load32_splat(rowTerm);
    v128.store(sums, i32x4.sub(v128.load(sums), i32x4.add(x, low)));
    v128.store(sums, i32x4.sub(v128.load(sums, 16), i32x4.add(x, high)), 16);
  }
}

/** sums[r, n] = (f32) sums[r, n] * (scale[r] * weightScale[n]): the integer, the product of the scales and the result round once each. */
export function scaleSums(sums: usize, end: usize, scale: usize, weightScale: usize): void {
  const low = v128.load(weightScale);
  const high = v128.load(weightScale, 16);
  for (; sums < end; sums += PANEL_BYTES, scale += 4) {
    const x = v128.load32_splat(scale);
    v128.store(sums, f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums)), f32x4.mul(x, low)));
    v128.store(sums, f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums, 16)), f32x4.mul(x, high)), 16);
  }
}
