import { suite } from "uvu";
import * as assert from "uvu/assert";
import { narrowBF16 } from "#dist/weights/narrow.js";
import { widenBF16 } from "#dist/weights/widen.js";
import { randomIntegers } from "../../support/elements.js";

const test = suite("weights/narrow");

const floats = (words: readonly number[]): Float32Array => new Float32Array(Uint32Array.from(words).buffer);
const half = (bits: number): number => widenBF16(Uint16Array.of(bits))[0]!;

test("every bfloat16 comes back as it is, and any NaN as one", () => {
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  const narrowed = narrowBF16(widenBF16(all));
  const expected = all.map((bits) => ((bits & 0x7fff) > 0x7f80 ? 0x7fc0 : bits));
  assert.is(Buffer.compare(new Uint8Array(narrowed.buffer), new Uint8Array(expected.buffer)), 0);
  // A payload in the lower half alone must not become an infinity.
  assert.equal(narrowBF16(floats([0x7f800001, 0xff800001, 0xffffffff])), Uint16Array.of(0x7fc0, 0x7fc0, 0x7fc0));
});

test("between two neighbours the nearer is taken, of a tie the even one, in every binade and of both signs", () => {
  const words = randomIntegers(1000, 5, 2 ** 16).flatMap((upper) =>
    [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map((lower) => upper * 2 ** 16 + lower),
  );
  const values = floats(words);
  const narrowed = narrowBF16(values);
  for (const [i, value] of values.entries()) {
    const toward = words[i]! >>> 16;
    if ((toward & 0x7fff) >= 0x7f7f) continue;
    const [below, above] = [Math.abs(value - half(toward)), Math.abs(value - half(toward + 1))];
    const even = toward % 2 === 0 ? toward : toward + 1;
    const expected = below < above ? toward : above < below ? toward + 1 : even;
    assert.is(narrowed[i], expected, `${words[i]!.toString(16)}`);
  }
});

test("beyond the largest is infinity, from half a unit on; zeros keep their sign", () => {
  const words = [0x7f7f7fff, 0x7f7f8000, 0xff7f8000, 0x7f800000, 0xff800000, 0, 0x80000000, 0x00008000, 0x00008001];
  const expected = [0x7f7f, 0x7f80, 0xff80, 0x7f80, 0xff80, 0, 0x8000, 0, 1];
  assert.equal(narrowBF16(floats(words)), Uint16Array.from(expected));
});

test("a view into a larger buffer gives its own part", () => {
  assert.equal(narrowBF16(Float32Array.of(9, 1, -2, 9).subarray(1, 3)), Uint16Array.of(0x3f80, 0xc000));
  assert.is(narrowBF16(new Float32Array(0)).length, 0);
});

test.run();
