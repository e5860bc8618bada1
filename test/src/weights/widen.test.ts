import { suite } from "uvu";
import * as assert from "uvu/assert";
import { widenBF16, widenF16 } from "#dist/weights/widen.js";

const test = suite("weights/widen");

test("every binary16 value is what its fields say", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const values = widenF16(bits);
  for (const b of bits) {
    const [sign, exponent, fraction] = [b >> 15 ? "-" : "", (b >> 10) & 31, b & 1023];
    // Exact decimal arithmetic: a binary16 is an integer times 2^-24.
    const scaled = BigInt(fraction + (exponent > 0 ? 1024 : 0)) << BigInt(Math.max(exponent - 1, 0));
    const expected = exponent < 31 ? Number(scaled) / 2 ** 24 : fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    assert.ok(Object.is(values[b], sign === "-" ? -expected : expected), `${b.toString(16)}: ${values[b]}`);
  }
});

test("every bfloat16 value has its bits above 16 zeros", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const words = new Uint32Array(widenBF16(bits).buffer);
  for (const b of bits) assert.is(words[b], b * 65536);
});

test.run();
