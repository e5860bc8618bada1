import { multiplyAdd } from "./simd/fma";

/** dst[i] = dst[i] + 1 * 2, for the tool chain check. */
export function check(dst: usize): void {
  v128.store(dst, multiplyAdd(f32x4.splat(1), f32x4.splat(2), v128.load(dst)));
}
