import { suite } from "uvu";
import { resizeHorizontal } from "../../reference/resize-horizontal.js";
import { assertSameBits, randomFrom, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";
import { resampleTables } from "../../support/resample.js";

const test = suite("resizeHorizontal");

const SIZES = [
  [1, 1],
  [1, 9],
  [2, 1],
  [5, 5],
  [7, 16],
  [16, 7],
  [33, 4],
  [100, 3],
  [3, 100],
] as const;

forEachVariant(test, "any widths, whole and in rows, random signed weights", (lab) => {
  for (const [srcWidth, dstWidth] of SIZES) {
    const { bounds, weights, taps } = resampleTables(srcWidth, dstWidth, randomFrom(srcWidth));
    for (const [rowBegin, rowEnd] of [
      [0, 5],
      [0, 0],
      [0, 1],
      [2, 4],
      [4, 5],
    ] as const) {
      lab.reset();
      const src = lab.atEnd(Uint8Array, randomIntegers(5 * srcWidth * 3, srcWidth, 256));
      const dst = lab.from(Uint8Array, randomIntegers(5 * dstWidth * 3, 4, 256));
      const [b, w] = [lab.from(Int32Array, bounds), lab.from(Int32Array, weights)];
      const expected = dst.data.slice();
      resizeHorizontal(expected, src.data, b.data, w.data, taps, srcWidth, dstWidth, rowBegin, rowEnd);
      lab.kernels.resizeHorizontal(
        dst.pointer,
        src.pointer,
        b.pointer,
        w.pointer,
        taps,
        srcWidth,
        dstWidth,
        rowBegin,
        rowEnd,
      );
      assertSameBits(dst.data, expected, `${srcWidth} to ${dstWidth}, rows ${rowBegin} to ${rowEnd}`);
    }
  }
});

forEachVariant(test, "clamps on both sides, rounds half up, and no taps give black", (lab) => {
  const one = 1 << 22;
  const src = lab.from(Uint8Array, [255, 1, 0, 255, 3, 128]);
  // twice white; minus white; a half, exactly; nothing
  const bounds = lab.from(Int32Array, [0, 2, 0, 1, 0, 2, 0, 0]);
  const weights = lab.from(Int32Array, [one, one, -one, 0, one / 2, 0, one, one]);
  const dst = lab.buffer(Uint8Array, 12);
  lab.kernels.resizeHorizontal(dst.pointer, src.pointer, bounds.pointer, weights.pointer, 2, 2, 4, 0, 1);
  assertSameBits(dst.data, Uint8Array.of(255, 4, 128, 0, 0, 0, 128, 1, 0, 0, 0, 0), "edges");
});

test.run();
