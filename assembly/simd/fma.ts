/**
 * The multiply-add of the build: one rounding where relaxed SIMD is compiled in and the engine fuses it
 * (the host takes a relaxed variant only then), two roundings otherwise.
 */
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Whether `multiplyAdd` was compiled to the relaxed instruction. */
export const FUSED: bool = ASC_FEATURE_RELAXED_SIMD;
