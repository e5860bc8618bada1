import { suite } from "uvu";
import { resizeVertical } from "../../reference/resize-vertical.js";
import { assertSameBits, randomFrom, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";
import { resampleTables } from "../../support/resample.js";

const test = suite("resizeVertical");

forEachVariant(test, "any heights and row lengths, whole and in rows, random signed weights", (lab) => {
  for (const [srcHeight, dstHeight] of [
    [1, 1],
    [1, 5],
    [5, 1],
    [6, 4],
    [4, 7],
    [40, 3],
  ] as const) {
    const { bounds, weights, taps } = resampleTables(srcHeight, dstHeight, randomFrom(srcHeight));
    for (const rowElements of [1, 2, 3, 6, 15, 16, 17, 31, 32, 33, 63]) {
      for (const [rowBegin, rowEnd] of [
        [0, dstHeight],
        [0, 0],
        [dstHeight - 1, dstHeight],
        [0, dstHeight - 1],
      ] as const) {
        lab.reset();
        const stride = rowElements + 5;
        const src = lab.atEnd(Uint8Array, randomIntegers(srcHeight * rowElements, rowElements, 256));
        const dst = lab.from(Uint8Array, randomIntegers((dstHeight - 1) * stride + rowElements, 4, 256));
        const [b, w] = [lab.from(Int32Array, bounds), lab.from(Int32Array, weights)];
        const expected = dst.data.slice();
        resizeVertical(expected, src.data, b.data, w.data, taps, rowElements, stride, rowBegin, rowEnd);
        lab.kernels.resizeVertical(
          dst.pointer,
          src.pointer,
          b.pointer,
          w.pointer,
          taps,
          rowElements,
          stride,
          rowBegin,
          rowEnd,
        );
        assertSameBits(
          dst.data,
          expected,
          `${srcHeight} to ${dstHeight}, ${rowElements} elements, rows ${rowBegin} to ${rowEnd}`,
        );
      }
    }
  }
});

forEachVariant(test, "clamps on both sides, rounds half up, and no taps give black", (lab) => {
  const one = 1 << 22;
  const pattern = Array.from({ length: 19 }, (_, i) => [255, 1, 0][i % 3]!);
  const src = lab.from(Uint8Array, [...pattern, ...pattern.map((x) => (x === 255 ? 255 : x + 2))]);
  const bounds = lab.from(Int32Array, [0, 2, 0, 1, 0, 2, 0, 0]);
  const weights = lab.from(Int32Array, [one, one, -one, 0, one / 2, 0, one, one]);
  const dst = lab.buffer(Uint8Array, 4 * 19);
  lab.kernels.resizeVertical(dst.pointer, src.pointer, bounds.pointer, weights.pointer, 2, 19, 19, 0, 4);
  const rows = [
    [255, 4, 2],
    [0, 0, 0],
    [128, 1, 0],
    [0, 0, 0],
  ].map((row) => pattern.map((_, i) => row[i % 3]!));
  assertSameBits(dst.data, Uint8Array.from(rows.flat()), "edges");
});

test.run();
