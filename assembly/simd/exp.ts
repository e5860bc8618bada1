import { kept, nothing } from "./constant";
import { multiplyAdd } from "./fma";

/**
 * exp(x) in each lane, for x <= 0 and NaN; the constants come from outside of the loop (`simd/constant.ts` says why), by the names below.
 *
 * x = n ln 2 + r with n whole and |r| <= ln 2 / 2; exp(r) by a polynomial, times 2^n. ln 2 is split in two: the upper part has 9 significant
 * bits, so that n times it is exact (n has 7) and the subtraction too; the lower part carries the rest.
 * exp(r) = 1 + r + r² q(r), q of degree 4 fitted for the least relative error of the whole (Lawson iteration on |r| <= 0.3468): 3.1e-9.
 * Measured on every float32 in [-87.3, -2^-31]: 0.99 ULP with two roundings per multiply-add, 1.01 with one. exp(±0) is exactly 1.
 * Below ln(2^-126) the result would be subnormal and is 0; NaN stays NaN.
 *
 * Adding 1.5 * 2^23 rounds to a whole number, to nearest even, and leaves it in the low bits: the exponent field of 2^n is a shift away. V8's revectorizer takes
 * that, not a rounding or a conversion.
 */
export const SMALLEST: f32 = -87.33654;
export const LOG2_E: f32 = Math.LOG2E as f32;
export const LN2_UPPER: f32 = 0.693359375;
export const LN2_LOWER: f32 = -0.00021219444;
export const Q0: f32 = 0.49999994;
export const Q1: f32 = 0.16666521;
export const Q2: f32 = 0.04166839;
export const Q3: f32 = 0.008368745;
export const Q4: f32 = 0.001381454;

export const WHOLE: f32 = 12582912;
export const EXPONENT_BIAS: i32 = 127;

/** Inlined by decree, which Biome reads on methods alone: as a call, constants and result would go through memory. */
export abstract class Exp {
  @inline
  static lanes(
    x: v128,
    log2E: v128,
    whole: v128,
    lower: v128,
    upper: v128,
    q4: v128,
    q3: v128,
    q2: v128,
    q1: v128,
    q0: v128,
    one: v128,
    exponentBias: v128,
    smallest: v128,
  ): v128 {
    const shifted = f32x4.add(f32x4.mul(x, log2E), whole);
    const n = f32x4.sub(shifted, whole);
    const r = multiplyAdd(n, lower, multiplyAdd(n, upper, x));
    let q = multiplyAdd(q4, r, q3);
    q = multiplyAdd(q, r, q2);
    q = multiplyAdd(q, r, q1);
    q = multiplyAdd(q, r, q0);
    const expR = f32x4.add(multiplyAdd(f32x4.mul(r, r), q, r), one);
    const power = i32x4.shl(i32x4.add(shifted, exponentBias), 23);
    return v128.andnot(f32x4.mul(expR, power), f32x4.lt(x, smallest));
  }
}

/** dst = exp(src - shift), `count` vectors; dst may be src. */
export function expVectors(dst: usize, src: usize, count: usize, shift: f32): void {
  const shifts = f32x4.splat(shift);
  const zero = nothing();
  const log2E = kept(LOG2_E, zero);
  const whole = kept(WHOLE, zero);
  const lower = kept(-LN2_LOWER, zero);
  const upper = kept(-LN2_UPPER, zero);
  const q4 = kept(Q4, zero);
  const q3 = kept(Q3, zero);
  const q2 = kept(Q2, zero);
  const q1 = kept(Q1, zero);
  const q0 = kept(Q0, zero);
  const one = kept(1, zero);
  const exponentBias = i32x4.splat(EXPONENT_BIAS + zero);
  const smallest = kept(SMALLEST, zero);
  const end = src + (count << 4);
  for (; src + 64 <= end; src += 64, dst += 64) {
    const a = f32x4.sub(v128.load(src), shifts);
    const b = f32x4.sub(v128.load(src, 16), shifts);
    const c = f32x4.sub(v128.load(src, 32), shifts);
    const d = f32x4.sub(v128.load(src, 48), shifts);
    const expA = Exp.lanes(a, log2E, whole, lower, upper, q4, q3, q2, q1, q0, one, exponentBias, smallest);
    const expB = Exp.lanes(b, log2E, whole, lower, upper, q4, q3, q2, q1, q0, one, exponentBias, smallest);
    const expC = Exp.lanes(c, log2E, whole, lower, upper, q4, q3, q2, q1, q0, one, exponentBias, smallest);
    const expD = Exp.lanes(d, log2E, whole, lower, upper, q4, q3, q2, q1, q0, one, exponentBias, smallest);
    v128.store(dst, expA);
    v128.store(dst, expB, 16);
    v128.store(dst, expC, 32);
    v128.store(dst, expD, 48);
  }
  for (; src < end; src += 16, dst += 16) {
    const x = f32x4.sub(v128.load(src), shifts);
    v128.store(dst, Exp.lanes(x, log2E, whole, lower, upper, q4, q3, q2, q1, q0, one, exponentBias, smallest));
  }
}
