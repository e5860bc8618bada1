/**
 * A range of f32 values below this counts as none when it is cut into 8-bit levels: 255 divided by it stays finite, and nothing that a model computes with
 * is as small. 2^-100.
 */
export const LEAST_RANGE: f32 = 7.888609052210118e-31;

/** What levels are kept as, by the codes of the ABI: i16 less their zero point; bytes from 0, or from -128 on; as WIDE, for products of sums. */
export const WIDE: i32 = 0;
export const SIGNED: i32 = 2;
export const CROSSED: i32 = 3;

/** Whether levels of this form are i16. */
export function isWide(form: i32): bool {
  return form === WIDE || form === CROSSED;
}

/** Of fours of i16 lanes: lane 0 by 2 plus lane 1 by 3, as i32 in both pairs of a four. */
export function crossed(levels: v128): v128 {
  const swapped = i8x16.shuffle(levels, levels, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  return i32x4.dot_i16x8_s(levels, swapped);
}

/** 1.5 * 2^23: beside it the step of f32 is 1, so a sum with any |x| below 2^22 rounds x to nearest, ties to even, and its last bits are the integer. */
export const WHOLE: f32 = 12582912;

export function nearestIntegers(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, f32x4.splat(WHOLE)), i32x4.splat(reinterpret<i32>(WHOLE)));
}

/** round(first * steps) and round(second * steps) as i16, side by side in each lane. */
export function nearestPairs(first: v128, second: v128, steps: v128): v128 {
  const whole = f32x4.splat(WHOLE);
  const low = f32x4.add(f32x4.mul(first, steps), whole);
  const high = f32x4.add(f32x4.mul(second, steps), whole);
  return v128.or(v128.and(low, i32x4.splat(0xffff)), i32x4.shl(high, 16));
}
