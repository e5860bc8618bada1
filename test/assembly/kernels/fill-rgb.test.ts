import { suite } from "uvu";
import { fillRgb } from "../../reference/fill-rgb.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("fillRgb");

forEachVariant(test, "every pixel of the range and no other", (lab) => {
  for (const [begin, end] of [
    [0, 0],
    [0, 1],
    [0, 23],
    [5, 6],
    [7, 23],
    [22, 23],
    [9, 9],
  ] as const) {
    lab.reset();
    const dst = lab.from(Uint8Array, randomIntegers(23 * 3, 1, 256));
    const expected = dst.data.slice();
    fillRgb(expected, 127, 0, 255, begin, end);
    lab.kernels.fillRgb(dst.pointer, 127, 0, 255, begin, end);
    assertSameBits(dst.data, expected, `pixels ${begin} to ${end}`);
  }
});

test.run();
