import { suite } from "uvu";
import { copyRows } from "../../reference/copy-rows.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("copyRows");

forEachVariant(test, "rows of any length between strides, whole and in parts, gaps untouched", (lab) => {
  for (const rowElements of [0, 1, 3, 15, 16, 17, 50]) {
    for (const [rowBegin, rowEnd] of [
      [0, 6],
      [0, 0],
      [1, 2],
      [2, 6],
    ] as const) {
      lab.reset();
      const [srcStride, dstStride] = [rowElements + 4, rowElements + 7];
      const src = lab.atEnd(Uint8Array, randomIntegers(5 * srcStride + rowElements, rowElements, 256));
      const dst = lab.from(Uint8Array, randomIntegers(6 * dstStride, 2, 256));
      const expected = dst.data.slice();
      copyRows(expected, src.data, rowElements, srcStride, dstStride, rowBegin, rowEnd);
      lab.kernels.copyRows(dst.pointer, src.pointer, rowElements, srcStride, dstStride, rowBegin, rowEnd);
      assertSameBits(dst.data, expected, `${rowElements} elements, rows ${rowBegin} to ${rowEnd}`);
    }
  }
});

test.run();
