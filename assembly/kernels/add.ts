/**
 * dst[i] = a[i] + b[i], f32, elements [begin, end). `dst` may be `a` or `b`. A ragged tail neither reads nor writes beyond `end`.
 * One rounding: the same bytes on every build.
 */
import { loadPartial, storePartial } from "../simd/partial";

export function add(dst: usize, a: usize, b: usize, begin: usize, end: usize): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    const at = i << 2;
    v128.store(dst + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  }
  if (i < end) {
    const at = i << 2;
    const rest = end - i;
    storePartial(dst + at, f32x4.add(loadPartial(a + at, rest), loadPartial(b + at, rest)), rest);
  }
}
