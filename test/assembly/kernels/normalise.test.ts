import { suite } from "uvu";
import { normalise } from "../../reference/normalise.js";
import { assertSameBits, randomF32, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("normalise");

forEachVariant(test, "any size, whole and in rows, each channel by its own table", (lab) => {
  for (const size of [1, 2, 3, 8, 17]) {
    for (const [rowBegin, rowEnd] of [
      [0, size],
      [0, 0],
      [size - 1, size],
      [0, size - 1],
    ] as const) {
      lab.reset();
      const src = lab.atEnd(Uint8Array, randomIntegers(size * size * 3, size, 256));
      const lut = lab.from(Float32Array, randomF32(768, 4));
      const dst = lab.from(Float32Array, randomF32(3 * size * size, 5));
      const expected = dst.data.slice();
      normalise(expected, src.data, lut.data, size, rowBegin, rowEnd);
      lab.kernels.normalise(dst.pointer, src.pointer, lut.pointer, size, rowBegin, rowEnd);
      assertSameBits(dst.data, expected, `size ${size}, rows ${rowBegin} to ${rowEnd}`);
    }
  }
});

forEachVariant(test, "all 256 levels of all channels", (lab) => {
  const src = lab.from(
    Uint8Array,
    Array.from({ length: 768 }, (_, i) => (Math.floor(i / 3) + 85 * (i % 3)) % 256),
  );
  const lut = lab.from(Float32Array, randomF32(768, 6));
  const dst = lab.buffer(Float32Array, 768);
  const expected = new Float32Array(768);
  normalise(expected, src.data, lut.data, 16, 0, 16);
  lab.kernels.normalise(dst.pointer, src.pointer, lut.pointer, 16, 0, 16);
  assertSameBits(dst.data, expected, "levels");
});

test.run();
