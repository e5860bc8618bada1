/**
 * dst = round(2^12 * 2^(src - largest)) in 16 bits: the numerators of a softmax whose scores are logarithms to base 2, in groups of 16 as of `tiles/row-int16.ts`. Returns their sum.
 *
 * x = n + f with n whole and |f| <= 1/2; 2^f by a polynomial of degree 3 fitted for the least relative error (Lawson iteration): 7.5e-5, so that a level is off by 0.81 at most. The
 * polynomial is 2^12 times as large; then n is added to the exponent, and x is never added to anything. Below -16 a level is 0. What is NaN gives
 * any level.
 *
 * Every step is one that V8's revectorizer takes, of neighbours: two levels become one word by a shift, without a shuffle.
 */
import { kept, nothing } from "./constant";
import { multiplyAdd } from "./fma";
import { WHOLE } from "./level";

/** The level of the largest score. Part of the ABI. */
export const POWER_LEVELS: f32 = 4096;

const C0: f32 = 0.9999280571937561 * POWER_LEVELS;
const C1: f32 = 0.6932609677314758 * POWER_LEVELS;
const C2: f32 = 0.2426111251115799 * POWER_LEVELS;
const C3: f32 = 0.0551716685295105 * POWER_LEVELS;
const LEAST: f32 = -16;

/** dst may be src, or lie before it. */
export function powers(dst: usize, src: usize, groups: usize, largest: f32): i32 {
  const shift = f32x4.splat(largest);
  const zero = nothing();
  const least = kept(LEAST, zero);
  const whole = kept(WHOLE, zero);
  const c3 = kept(C3, zero);
  const c2 = kept(C2, zero);
  const c1 = kept(C1, zero);
  const c0 = kept(C0, zero);
  const half = i32x4.splat(0xffff + zero);
  const ones = i32x4.splat(0x10001 + zero);
  let sum = i32x4.splat(0);
  let farSum = sum;
  for (const end = src + (groups << 6); src < end; src += 64, dst += 32) {
    const a = Power.lanes(f32x4.sub(v128.load(src), shift), least, whole, c3, c2, c1, c0);
    const b = Power.lanes(f32x4.sub(v128.load(src, 16), shift), least, whole, c3, c2, c1, c0);
    const c = Power.lanes(f32x4.sub(v128.load(src, 32), shift), least, whole, c3, c2, c1, c0);
    const d = Power.lanes(f32x4.sub(v128.load(src, 48), shift), least, whole, c3, c2, c1, c0);
    const low = v128.or(v128.and(a, half), i32x4.shl(c, 16));
    const high = v128.or(v128.and(b, half), i32x4.shl(d, 16));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(low, ones));
    farSum = i32x4.add(farSum, i32x4.dot_i16x8_s(high, ones));
    v128.store(dst, low);
    v128.store(dst, high, 16);
  }
  sum = i32x4.add(sum, farSum);
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
  );
}

/** Inlined by decree, as `Exp` is. */
abstract class Power {
  /** The level in the lower half of each lane. */
  @inline
  static lanes(x: v128, least: v128, whole: v128, c3: v128, c2: v128, c1: v128, c0: v128): v128 {
    const shifted = f32x4.add(x, whole);
    const f = f32x4.sub(x, f32x4.sub(shifted, whole));
    let power = multiplyAdd(c3, f, c2);
    power = multiplyAdd(power, f, c1);
    power = multiplyAdd(power, f, c0);
    power = i32x4.add(power, i32x4.shl(shifted, 23));
    return f32x4.add(v128.andnot(power, f32x4.lt(x, least)), whole);
  }
}
