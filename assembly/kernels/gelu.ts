/**
 * dst[i] = gelu(src[i]) = src[i]/2 * (1 + erf(src[i]/√2)), f32, elements [begin, end): what the GELU epilogue of `gemm` applies.
 *
 * Error bounds and method are in `simd/gelu.ts`: erf within 1e-7 and one rounding; x for large x, 0 for very negative, NaN only for NaN.
 * `dst` may be `src`; a ragged tail neither reads nor writes beyond `end`.
 */
import { geluLanes } from "../simd/gelu";
import { loadPartial, storePartial } from "../simd/partial";

export function gelu(dst: usize, src: usize, begin: usize, end: usize): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) v128.store(dst + (i << 2), geluLanes(v128.load(src + (i << 2))));
  if (i < end) storePartial(dst + (i << 2), geluLanes(loadPartial(src + (i << 2), end - i)), end - i);
}
