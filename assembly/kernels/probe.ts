/**
 * What the relaxed instructions do on this engine, found by running them on inputs whose admissible results differ. The inputs carry
 * `nothing()`, a zero that no optimiser can see through, so that nothing is decided at compile time.
 */
import { nothing } from "../simd/constant";
import { DOT8, dot8 } from "../simd/dot8";
import { FUSED, multiplyAdd } from "../simd/fma";

/**
 * 1 when multiply-add rounds once, 0 when it rounds twice or is not compiled in.
 *
 * (1 + 2^-12)² - (1 + 2^-11) is 2^-24; rounded in between, the square is 1 + 2^-11 (a tie, to even) and the difference 0.
 */
export function probeFma(): i32 {
  if (!FUSED) return 0;
  const x = f32x4.splat(reinterpret<f32>(0x3f800800 + nothing()));
  const fused = multiplyAdd(x, x, f32x4.splat(-1.00048828125));
  return i32x4.all_true(f32x4.eq(fused, f32x4.splat(5.9604644775390625e-8))) ? 1 : 0;
}

/**
 * The relaxed 8-bit dot with a top bit set in its second operand: 0 not compiled in, 1 exact with b unsigned, 2 exact with b signed,
 * 3 neither. The lanes hold pairs that saturate 16 bits in both directions, and one with both signs of b.
 *
 *   a      127 x4     -128 x4     127, -128, 1, 0     -128, 127, 0, 2
 *   b      255 x4      255 x4     128,    3, 254, 9    200, 129, 7, 253
 */
export function probeDot8(): i32 {
  if (!DOT8) return 0;
  const unseen = i32x4.splat(nothing());
  const a = v128.xor(i8x16(127, 127, 127, 127, -128, -128, -128, -128, 127, -128, 1, 0, -128, 127, 0, 2), unseen);
  const b = v128.xor(i8x16(-1, -1, -1, -1, -1, -1, -1, -1, -128, 3, -2, 9, -56, -127, 7, -3), unseen);
  const dot = dot8(a, b, i32x4(5, 6, 7, 8));
  if (i32x4.all_true(i32x4.eq(dot, i32x4(129545, -130554, 16133, -8703)))) return 1;
  if (i32x4.all_true(i32x4.eq(dot, i32x4(-503, 518, -16635, -8959)))) return 2;
  return 3;
}
