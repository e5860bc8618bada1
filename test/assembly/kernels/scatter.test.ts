import { suite } from "uvu";
import { scatter } from "../../reference/scatter.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("scatter");

const INDEX = [8, 0, 3, 11, 5];

forEachVariant(test, "any width, whole and in parts, NaN payloads kept, other rows untouched", (lab) => {
  for (let width = 1; width <= 17; width++) {
    lab.reset();
    const bits = randomIntegers(INDEX.length * width, width, 2 ** 32);
    bits[0] = 0x7f800001;
    const src = lab.atEnd(Uint32Array, bits);
    const index = lab.from(Int32Array, INDEX);
    for (const [rowBegin, rowEnd] of [
      [0, 5],
      [0, 0],
      [0, 2],
      [2, 3],
      [3, 5],
    ] as const) {
      const dst = lab.from(Uint32Array, randomIntegers(12 * width, 6, 2 ** 32));
      const expected = dst.data.slice();
      scatter(expected, src.data, index.data, width, rowBegin, rowEnd);
      lab.kernels.scatter(dst.pointer, src.pointer, index.pointer, width, rowBegin, rowEnd);
      assertSameBits(dst.data, expected, `width ${width}, rows ${rowBegin} to ${rowEnd}`);
    }
  }
});

test.run();
