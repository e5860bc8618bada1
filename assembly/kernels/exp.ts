/**
 * dst[i] = exp(src[i]), f32, elements [begin, end), for src <= 0: what the softmax applies.
 *
 * At most 2 ULP on [-87.3, 0] (measured 1.01), exactly 1 at 0, 0 below -87.33654, NaN for NaN; the method is in `simd/exp.ts`.
 * `dst` may be `src`; a ragged tail neither reads nor writes beyond `end`.
 */
import { expLanes } from "../simd/exp";
import { loadPartial, storePartial } from "../simd/partial";

export function exp(dst: usize, src: usize, begin: usize, end: usize): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) v128.store(dst + (i << 2), expLanes(v128.load(src + (i << 2))));
  if (i < end) storePartial(dst + (i << 2), expLanes(loadPartial(src + (i << 2), end - i)), end - i);
}
