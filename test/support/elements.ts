/** Comparing and making arrays: on failure the worst element, where, and how many. */
import * as assert from "uvu/assert";

/** Unit roundoff of float32: the largest relative error of one rounding. */
export const U = 2 ** -24;

type Bits = Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array | Uint32Array | Float32Array;

/** Equal bit by bit: distinguishes zeros, and NaN is equal to the same NaN. */
export function assertSameBits<T extends Bits>(actual: T, expected: T, what: string): void {
  assert.is(actual.length, expected.length, `${what}: length`);
  const bitsOf = (array: T): Bits =>
    array instanceof Float32Array ? new Uint32Array(array.buffer, array.byteOffset, array.length) : array;
  const a = bitsOf(actual);
  const b = bitsOf(expected);
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    if (wrong++ === 0) first = i;
  }
  if (wrong > 0)
    assert.unreachable(
      `${what}: ${wrong} of ${a.length} differ, first [${first}] ${actual[first]} instead of ${expected[first]}`,
    );
}

/** |actual - expected| at most `bound(i)`, and no NaN. */
export function assertWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (index: number) => number,
  what: string,
): void {
  assert.is(actual.length, expected.length, `${what}: length`);
  let wrong = 0;
  let worst = 0;
  let ratio = -1;
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    const allowed = bound(i);
    if (error <= allowed) continue;
    wrong++;
    const excess = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error / allowed;
    if (excess > ratio) {
      ratio = excess;
      worst = i;
    }
  }
  if (wrong > 0)
    assert.unreachable(
      `${what}: ${wrong} of ${actual.length} outside, worst [${worst}] ${actual[worst]} instead of ${expected[worst]}, ${ratio.toPrecision(3)} times the bound`,
    );
}

/** Deterministic numbers in [0, 1), Tommy Ettinger's mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` distinct-looking float32 in [-scale, scale). */
export function randomF32(length: number, seed: number, scale = 1): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length }, () => (random() * 2 - 1) * scale);
}

/** Unsigned integers below `limit`. */
export function randomIntegers(length: number, seed: number, limit: number): number[] {
  const random = randomFrom(seed);
  return Array.from({ length }, () => Math.floor(random() * limit));
}

/** Distance from |value| to the next float32, subnormals included. */
export function ulp(value: number): number {
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  return 2 ** Math.max(exponent - 23, -149);
}
