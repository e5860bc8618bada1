import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exp } from "../../reference/exp.js";
import { assertSameBits, assertWithin, randomF32, ulp } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("exp");

const CHUNK = 1 << 16;
/** Every 101st float32 from -0 down to -87.3: eleven million. */
const STRIDE = 101;
const LOWEST = 0xc2ae999a;

forEachVariant(test, "1.1 ULP on [-87.3, 0], where the contract allows 2, by bit patterns", (lab) => {
  const src = lab.buffer(Float32Array, CHUNK);
  const dst = lab.buffer(Float32Array, CHUNK);
  const bits = new Uint32Array(CHUNK);
  const exact = new Float64Array(CHUNK);
  let worst = 0;
  for (let next = 0x80000000; next <= LOWEST; ) {
    for (let i = 0; i < CHUNK; i++, next += STRIDE) bits[i] = Math.min(next, LOWEST);
    src.data.set(new Float32Array(bits.buffer));
    lab.kernels.exp(dst.pointer, src.pointer, 0, CHUNK);
    exp(exact, src.data, 0, CHUNK);
    for (let i = 0; i < CHUNK; i++) worst = Math.max(worst, Math.abs(dst.data[i]! - exact[i]!) / ulp(exact[i]!));
  }
  assert.ok(worst <= 1.1, `${worst} ULP`);
  assert.ok(worst > 0.5, `${worst} ULP is too good to have been measured`);
});

forEachVariant(test, "exactly 1 at zero, 0 where the result would be subnormal, NaN for NaN", (lab) => {
  const src = lab.from(Float32Array, [
    0,
    -0,
    -87.34,
    -88,
    -104,
    -1e30,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    -1e-45,
    0,
    0,
    0,
  ]);
  lab.kernels.exp(src.pointer, src.pointer, 0, src.data.length);
  assertSameBits(src.data, Float32Array.of(1, 1, 0, 0, 0, 0, 0, Number.NaN, 1, 1, 1, 1), "special values");
  const edge = lab.from(Float32Array, [-87.33654, -87.3365, -87.33654, -87.3365]);
  lab.kernels.exp(edge.pointer, edge.pointer, 0, 4);
  assertWithin(
    edge.data,
    Array.from([-87.33654, -87.3365, -87.33654, -87.3365], (x) => Math.exp(Math.fround(x))),
    () => 2 ** -148,
    "the smallest normal",
  );
});

forEachVariant(test, "any range of whole vectors, in place or not, nothing else touched", (lab) => {
  for (let vectors = 0; vectors <= 9; vectors++) {
    for (const first of [0, 1, 3]) {
      lab.reset();
      const [begin, end] = [first * 4, (first + vectors) * 4];
      const values = randomF32(end, vectors + 1, 20).map((x) => -Math.abs(x));
      const src = lab.atEnd(Float32Array, values);
      const dst = lab.from(Float32Array, randomF32(end, 77));
      const expected = dst.data.slice();
      for (let at = begin; at < end; at += 4) {
        const one = lab.from(Float32Array, values.subarray(at, at + 4));
        lab.kernels.exp(one.pointer, one.pointer, 0, 4);
        expected.set(one.data, at);
      }
      lab.kernels.exp(dst.pointer, src.pointer, begin, end);
      assertSameBits(dst.data, expected, `${vectors} from ${first}`);
      lab.kernels.exp(src.pointer, src.pointer, begin, end);
      assertSameBits(src.data.slice(begin), expected.slice(begin), `${vectors} from ${first} in place`);
    }
  }
});

test.run();
