/**
 * dst[i] = gelu(src[i] + bias[i % 8]), gelu(x) = x/2 * (1 + erf(x/√2)), f32, elements [begin, end), both multiples of 8: what the GELU epilogue
 * of `finish` applies.
 *
 * Error bounds and method are in `simd/gelu.ts`: erf within 1e-7 and one rounding; x for large x, 0 for very negative, NaN only for NaN.
 * `dst` may be `src`.
 */
import { geluRows } from "../simd/gelu";
import { PANEL_BYTES } from "../tiles/product";

export function gelu(dst: usize, src: usize, bias: usize, begin: usize, end: usize): void {
  geluRows(dst + (begin << 2), PANEL_BYTES, src + (begin << 2), src + (end << 2), bias);
}
