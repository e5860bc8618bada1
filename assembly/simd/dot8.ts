/** Whether the relaxed 8-bit dot product is compiled in. */
export const DOT8: bool = ASC_FEATURE_RELAXED_SIMD;

/** c + a · b in groups of four 8-bit lanes, a signed; what a top bit in b means is the engine's choice. Without `DOT8` it is c. */
export function dot8(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, c);
  return c;
}
