import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gelu } from "../../reference/gelu.js";
import { assertSameBits, randomF32, ulp } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("gelu");

const CHUNK = 1 << 16;
/** Every 499th finite float32 of either sign: eight and a half million. */
const STRIDE = 499;
const LARGEST = 0x7f7fffff;

/**
 * The contract: erf within 1e-7, so half of that times |x|, and one rounding of the result. On the negative side, where the result is
 * small beside x, also relative: 1e-6 down to -5, 5e-6 down to -13, where exp(-x²/2) meets the end of the normal numbers.
 */
function allowed(x: number, exact: number): number {
  const absolute = 0.5e-7 * Math.abs(x) + 0.5 * ulp(exact);
  if (x >= 0 || x < -13) return absolute;
  return Math.min(absolute, (x >= -5 ? 1e-6 : 5e-6) * Math.abs(exact) + 2 ** -149);
}

forEachVariant(test, "within the bound on every finite magnitude, by bit patterns", (lab) => {
  const src = lab.buffer(Float32Array, CHUNK);
  const dst = lab.buffer(Float32Array, CHUNK);
  const exact = new Float64Array(CHUNK);
  const bits = new Uint32Array(CHUNK);
  const none = lab.buffer(Float32Array, 8);
  let worst = 0;
  let at = 0;
  for (const sign of [0, 0x80000000]) {
    for (let next = 0; next <= LARGEST; ) {
      for (let i = 0; i < CHUNK; i++, next += STRIDE) bits[i] = (sign | Math.min(next, LARGEST)) >>> 0;
      src.data.set(new Float32Array(bits.buffer));
      lab.kernels.gelu(dst.pointer, src.pointer, none.pointer, 0, CHUNK);
      gelu(exact, src.data, 0, CHUNK);
      for (let i = 0; i < CHUNK; i++) {
        const ratio = Math.abs(dst.data[i]! - exact[i]!) / allowed(src.data[i]!, exact[i]!);
        if (ratio <= worst) continue;
        worst = ratio;
        at = src.data[i]!;
      }
      assert.not(dst.data.some(Number.isNaN), "NaN for a finite value");
    }
  }
  assert.ok(worst <= 1, `${worst} times the bound at ${at}`);
  assert.ok(worst > 0.3, `${worst} times the bound is too good to have been measured`);
});

forEachVariant(test, "x for large x, 0 for very negative, zero for both zeros, infinities, NaN", (lab) => {
  const big = [30, 31.5, 1e5, 3e38, Number.POSITIVE_INFINITY];
  const src = lab.from(Float32Array, [...big, ...big.map((x) => -x), 0, -0, Number.NaN, 0, 0, 0]);
  const none = lab.buffer(Float32Array, 8);
  lab.kernels.gelu(src.pointer, src.pointer, none.pointer, 0, src.data.length);
  assertSameBits(src.data, Float32Array.of(...big, 0, 0, 0, 0, 0, 0, 0, Number.NaN, 0, 0, 0), "special values");
});

forEachVariant(test, "rows of 8 with their bias, any range, in place or not, nothing else touched", (lab) => {
  for (let rows = 0; rows <= 7; rows++) {
    for (const first of [0, 1, 2]) {
      lab.reset();
      const [begin, end] = [first * 8, (first + rows) * 8];
      const values = randomF32(end, rows + 1, 3);
      const bias = lab.from(Float32Array, randomF32(8, 5));
      const none = lab.buffer(Float32Array, 8);
      const src = lab.atEnd(Float32Array, values);
      const dst = lab.from(Float32Array, randomF32(end, 77));
      const expected = dst.data.slice();
      for (let at = begin; at < end; at += 8) {
        const one = lab.from(
          Float32Array,
          values.subarray(at, at + 8).map((x, n) => Math.fround(x + bias.data[n]!)),
        );
        lab.kernels.gelu(one.pointer, one.pointer, none.pointer, 0, 8);
        expected.set(one.data, at);
      }
      lab.kernels.gelu(dst.pointer, src.pointer, bias.pointer, begin, end);
      assertSameBits(dst.data, expected, `${rows} rows from ${first}`);
      lab.kernels.gelu(src.pointer, src.pointer, bias.pointer, begin, end);
      assertSameBits(src.data.slice(begin), expected.slice(begin), `${rows} rows from ${first} in place`);
    }
  }
});

test.run();
