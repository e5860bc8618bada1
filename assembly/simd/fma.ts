/**
 * The multiply-add of the build: one rounding where relaxed SIMD is compiled in and the engine fuses it
 * (the host takes a relaxed variant only then), two roundings otherwise.
 */
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Whether `multiplyAdd` was compiled to the relaxed instruction. */
export const FUSED: bool = ASC_FEATURE_RELAXED_SIMD;

/**
 * Rows of the register tile, 4 or 6. V8 leaves 15 vector registers on x64. Six rows are 12 accumulators + 2 of b + 1 of a = 15, with
 * nothing left for the product of an unfused multiply-add. Four rows are 8 + 2 + 1 and the product, and still fit (8 + 2 + 4 + 1 = 15) where
 * the engine moves all loads of a step to its front, as V8 before Turboshaft does: there five rows spill and run at half the speed, while
 * elsewhere four are as fast as five.
 */
export const TILE_ROWS: usize = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
