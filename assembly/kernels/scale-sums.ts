/**
 * partial[p, r, n] = (f32) partial[p, r, n] * (scale[r] * weightScale[8p + n]), in place: what `multiplyInt8` leaves, as `multiply` would leave it.
 *
 *   partial      i32 in, f32 out [panelEnd - panelBegin, rowEnd - rowBegin, 8]
 *   scale        f32 [rows], of the levels (`quantise.ts`), rows [rowBegin, rowEnd)
 *   weightScale  f32 [columns rounded up to 8], of the columns (`pack-int8.ts`), panels [panelBegin, panelEnd)
 *
 * Three roundings: the integer, the product of the scales, and the result; no build fuses any. The same bytes everywhere.
 */
import { PANEL, PANEL_BYTES } from "../tiles/product";

export function scaleSums(
  partial: usize,
  scale: usize,
  weightScale: usize,
  rowBegin: usize,
  rowEnd: usize,
  panelBegin: usize,
  panelEnd: usize,
): void {
  let sums = partial;
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    const low = v128.load(weightScale + ((panel * PANEL) << 2));
    const high = v128.load(weightScale + ((panel * PANEL) << 2), 16);
    for (let row = rowBegin; row < rowEnd; row++, sums += PANEL_BYTES) {
      const x = v128.load32_splat(scale + (row << 2));
      v128.store(sums, f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums)), f32x4.mul(x, low)));
      v128.store(sums, f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums, 16)), f32x4.mul(x, high)), 16);
    }
  }
}
