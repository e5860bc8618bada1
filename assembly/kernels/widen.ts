/**
 * dst[i] = src[i] as f32, elements [begin, end), src of the given storage: f32 is copied, bf16 and f16 are widened exactly (subnormals,
 * infinities and NaN included; `simd/widen.ts`). `dst` must not overlap `src`. The same bytes on every build.
 */
import { storageBytes, widenElements } from "../simd/widen";

export function widen(dst: usize, src: usize, storage: i32, begin: usize, end: usize): void {
  if (begin >= end) return;
  widenElements(dst + (begin << 2), src + begin * storageBytes(storage), end - begin, storage);
}
