import * as assert from "uvu/assert";

/** Unit roundoff of f32. */
export const U = 2 ** -24;

/** Numbers in [-scale, scale), the same for the same seed: xorshift32. */
export function random(count: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = (state / 2 ** 31) * scale;
  }
  return values;
}

/** Fails unless every element is within its own bound; says how many are not and which is worst. */
export function assertWithin(
  actual: Float32Array,
  exact: ArrayLike<number>,
  bound: (index: number) => number,
  what: string,
): void {
  assert.is(actual.length, exact.length, what);
  assert.ok(actual.length > 0, `${what}: nothing was compared`);
  let outside = 0;
  let worst = 0;
  let at = 0;
  for (let i = 0; i < actual.length; i++) {
    const ratio = Math.abs(actual[i]! - exact[i]!) / bound(i);
    // NaN is outside, too; 0/0 is an exact element that must be exact.
    if (!(ratio <= 1) && actual[i] !== exact[i]) {
      outside++;
      if (!(ratio <= worst)) [worst, at] = [ratio, i];
    }
  }
  if (outside === 0) return;
  assert.unreachable(
    `${what}: ${outside} of ${actual.length} outside; worst at ${at}: ${actual[at]} for ${exact[at]}, ${worst} times the bound ${bound(at)}`,
  );
}

/** Fails at the first element whose bits differ: NaN is a value like any other, and a long array does not flood the report. */
export function assertSameBits<T extends Float32Array | Uint8Array>(actual: T, expected: T, what = "the array"): void {
  assert.is(actual.length, expected.length, `${what}: as many elements`);
  assert.ok(actual.length > 0, `${what}: nothing was compared`);
  const bits = ({ buffer, byteOffset, byteLength }: T): Buffer => Buffer.from(buffer, byteOffset, byteLength);
  if (bits(actual).equals(bits(expected))) return;
  const at = actual.findIndex((value, i) => !Object.is(value, expected[i]));
  assert.unreachable(`${what}: ${actual[at]} for ${expected[at]} at ${at}`);
}

/** x times the normal distribution's integral up to x: Simpson's rule from 0 in 400 steps, off by less than 1e-9 for |x| < 20. */
export function gelu(x: number): number {
  const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const steps = 400;
  const h = x / steps;
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += density(i * h) * (i % 2 === 1 ? 4 : 2);
  return x * (0.5 + (sum * h) / 3);
}
