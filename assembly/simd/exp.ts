import { multiplyAdd } from "./fma";

/**
 * exp(x) in each lane, for x <= 0 and NaN.
 *
 * x = n ln 2 + r with n whole and |r| <= ln 2 / 2; exp(r) by a polynomial, n added to the exponent field. ln 2 is split in two: the upper
 * part has 9 significant bits, so that n times it is exact (n has 7) and the subtraction too; the lower part carries the rest.
 * exp(r) = 1 + r + r² q(r), q of degree 4 fitted for the least relative error of the whole (Lawson iteration on |r| <= 0.3468): 3.1e-9.
 * Measured on every float32 in [-87.3, -2^-31]: 0.99 ULP with two roundings per multiply-add, 1.01 with one. exp(±0) is exactly 1.
 * Below ln(2^-126) the result would be subnormal and is 0; NaN stays NaN.
 */
const SMALLEST: f32 = -87.33654;
const LOG2_E: f32 = Math.LOG2E as f32;
const LN2_UPPER: f32 = 0.693359375;
const LN2_LOWER: f32 = -0.00021219444;
const Q0: f32 = 0.49999994;
const Q1: f32 = 0.16666521;
const Q2: f32 = 0.04166839;
const Q3: f32 = 0.008368745;
const Q4: f32 = 0.001381454;

export function expLanes(x: v128): v128 {
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(LOG2_E)));
  const r = multiplyAdd(n, f32x4.splat(-LN2_LOWER), multiplyAdd(n, f32x4.splat(-LN2_UPPER), x));
  let q = multiplyAdd(f32x4.splat(Q4), r, f32x4.splat(Q3));
  q = multiplyAdd(q, r, f32x4.splat(Q2));
  q = multiplyAdd(q, r, f32x4.splat(Q1));
  q = multiplyAdd(q, r, f32x4.splat(Q0));
  const expR = f32x4.add(multiplyAdd(f32x4.mul(r, r), q, r), f32x4.splat(1));
  const scaled = i32x4.add(expR, i32x4.shl(i32x4.trunc_sat_f32x4_s(n), 23));
  return v128.andnot(scaled, f32x4.lt(x, f32x4.splat(SMALLEST)));
}
