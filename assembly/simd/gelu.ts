import { kept, nothing } from "./constant";
import { EXPONENT_BIAS, Exp, LN2_LOWER, LN2_UPPER, LOG2_E, Q0, Q1, Q2, Q3, Q4, SMALLEST, WHOLE } from "./exp";
import { multiplyAdd } from "./fma";

/**
 * dst = gelu(src + bias), rows of 8: gelu(x) = x Φ(x) = x/2 (1 + erf(x/√2)).
 *
 *   dst   rows of two vectors, `step` bytes apart; may be src where the step is 32
 *   src   f32 [rows, 8], up to `end`
 *
 * |x| < 1: x/2 + x² g(x²), where x g(x²) = Φ(x) - 1/2 = erf(x/√2)/2; g of degree 4 in x², fit error 1.5e-8 of erf.
 * |x| >= 1: max(x, 0) - |x| Q(|x|) with the tail Q(a) = 1 - Φ(a) = exp(-a²/2) N(a)/D(a): no cancellation on the negative side, where
 * 1 + erf would lose every digit. N/D is half the scaled complementary error function of a/√2, degrees 4/5, all coefficients positive (a
 * sum of positive terms loses nothing), fit error 5.5e-9 relative on [0, 14]. Beyond 14 exp gives 0, so a is held there: huge and
 * infinite x give x or 0, never inf * 0. NaN stays NaN. Both fits by Lawson iteration against erf in double precision.
 *
 * Measured against double precision: erf as used is off by at most 1e-7, and then one rounding of the result; 1.3 ULP for x > 0;
 * for x < 0 relative 7.3e-7 down to -5, 4.1e-6 down to -13 (the rounding of a² inside exp).
 */
const A_MAX: f32 = 14;
const G0: f32 = 0.3989422;
const G1: f32 = -0.06648873;
const G2: f32 = 0.009964167;
const G3: f32 = -0.0011653507;
const G4: f32 = 0.000092468355;
const N0: f32 = 0.5;
const N1: f32 = 0.43725055;
const N2: f32 = 0.18246156;
const N3: f32 = 0.040372454;
const N4: f32 = 0.0040775933;
const D1: f32 = 1.672386;
const D2: f32 = 1.1992897;
const D3: f32 = 0.46742836;
const D4: f32 = 0.10120554;
const D5: f32 = 0.010220882;

export function geluRows(dst: usize, step: usize, src: usize, end: usize, bias: usize): void {
  const biasLow = v128.load(bias);
  const biasHigh = v128.load(bias, 16);
  const zero = nothing();
  const limit = kept(A_MAX, zero);
  const g0 = kept(G0, zero);
  const g1 = kept(G1, zero);
  const g2 = kept(G2, zero);
  const g3 = kept(G3, zero);
  const g4 = kept(G4, zero);
  const n0 = kept(N0, zero);
  const n1 = kept(N1, zero);
  const n2 = kept(N2, zero);
  const n3 = kept(N3, zero);
  const n4 = kept(N4, zero);
  const d1 = kept(D1, zero);
  const d2 = kept(D2, zero);
  const d3 = kept(D3, zero);
  const d4 = kept(D4, zero);
  const d5 = kept(D5, zero);
  const minusHalf = kept(-0.5, zero);
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
  // Two rows at a time: four chains side by side keep the units busy (a sixth faster than two). Without a second one the first stands in for it, and is
  // stored twice: all loads come before the stores.
  for (; src < end; src += 64, dst += 2 * step) {
    const second: usize = src + 32 < end ? 1 : 0;
    const next = src + 32 * second;
    const nextDst = dst + step * second;
    const low = Gelu.lanes(
      f32x4.add(v128.load(src), biasLow),
      limit,
      g0,
      g1,
      g2,
      g3,
      g4,
      n0,
      n1,
      n2,
      n3,
      n4,
      d1,
      d2,
      d3,
      d4,
      d5,
      minusHalf,
      log2E,
      whole,
      lower,
      upper,
      q4,
      q3,
      q2,
      q1,
      q0,
      one,
      exponentBias,
      smallest,
    );
    const high = Gelu.lanes(
      f32x4.add(v128.load(src, 16), biasHigh),
      limit,
      g0,
      g1,
      g2,
      g3,
      g4,
      n0,
      n1,
      n2,
      n3,
      n4,
      d1,
      d2,
      d3,
      d4,
      d5,
      minusHalf,
      log2E,
      whole,
      lower,
      upper,
      q4,
      q3,
      q2,
      q1,
      q0,
      one,
      exponentBias,
      smallest,
    );
    const nextLow = Gelu.lanes(
      f32x4.add(v128.load(next), biasLow),
      limit,
      g0,
      g1,
      g2,
      g3,
      g4,
      n0,
      n1,
      n2,
      n3,
      n4,
      d1,
      d2,
      d3,
      d4,
      d5,
      minusHalf,
      log2E,
      whole,
      lower,
      upper,
      q4,
      q3,
      q2,
      q1,
      q0,
      one,
      exponentBias,
      smallest,
    );
    const nextHigh = Gelu.lanes(
      f32x4.add(v128.load(next, 16), biasHigh),
      limit,
      g0,
      g1,
      g2,
      g3,
      g4,
      n0,
      n1,
      n2,
      n3,
      n4,
      d1,
      d2,
      d3,
      d4,
      d5,
      minusHalf,
      log2E,
      whole,
      lower,
      upper,
      q4,
      q3,
      q2,
      q1,
      q0,
      one,
      exponentBias,
      smallest,
    );
    v128.store(dst, low);
    v128.store(dst, high, 16);
    v128.store(nextDst, nextLow);
    v128.store(nextDst, nextHigh, 16);
  }
}

/** Inlined by decree, as `Exp`. */
abstract class Gelu {
  @inline
  static lanes(
    x: v128,
    limit: v128,
    g0: v128,
    g1: v128,
    g2: v128,
    g3: v128,
    g4: v128,
    n0: v128,
    n1: v128,
    n2: v128,
    n3: v128,
    n4: v128,
    d1: v128,
    d2: v128,
    d3: v128,
    d4: v128,
    d5: v128,
    minusHalf: v128,
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
    const magnitude = f32x4.abs(x);
    const near = f32x4.lt(magnitude, one);
    const a = f32x4.pmin(magnitude, limit);
    const square = f32x4.mul(x, x);
    let g = multiplyAdd(g4, square, g3);
    g = multiplyAdd(g, square, g2);
    g = multiplyAdd(g, square, g1);
    g = multiplyAdd(g, square, g0);
    g = multiplyAdd(square, g, f32x4.mul(x, n0));
    let numerator = multiplyAdd(n4, a, n3);
    numerator = multiplyAdd(numerator, a, n2);
    numerator = multiplyAdd(numerator, a, n1);
    numerator = multiplyAdd(numerator, a, n0);
    let denominator = multiplyAdd(d5, a, d4);
    denominator = multiplyAdd(denominator, a, d3);
    denominator = multiplyAdd(denominator, a, d2);
    denominator = multiplyAdd(denominator, a, d1);
    denominator = multiplyAdd(denominator, a, one);
    const exponent = f32x4.mul(f32x4.mul(a, a), minusHalf);
    const density = Exp.lanes(exponent, log2E, whole, lower, upper, q4, q3, q2, q1, q0, one, exponentBias, smallest);
    const tail = f32x4.mul(density, f32x4.div(numerator, denominator));
    const far = f32x4.sub(f32x4.pmax(f32x4.splat(0), x), f32x4.mul(a, tail));
    return v128.bitselect(g, far, near);
  }
}
