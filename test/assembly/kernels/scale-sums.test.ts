import { suite } from "uvu";
import { PANEL, roundUp } from "#dist/wasm/abi.js";
import { assertSameBits, randomF32, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("scale-sums");

const f = Math.fround;

for (const [rowBegin, rowEnd, panelBegin, panelEnd] of [
  [0, 1, 0, 1],
  [0, 9, 0, 3],
  [2, 7, 1, 3],
  [3, 3, 0, 2],
  [1, 4, 2, 2],
] as const) {
  forEachVariant(
    test,
    `rows ${rowBegin} to ${rowEnd}, panels ${panelBegin} to ${panelEnd}: one rounding each`,
    (lab) => {
      const scale = lab.from(Float32Array, randomF32(9, 1));
      const weightScale = lab.from(Float32Array, randomF32(roundUp(24, PANEL), 2));
      const height = rowEnd - rowBegin;
      const count = height * (panelEnd - panelBegin) * PANEL;
      const sums = Int32Array.from(randomIntegers(count, 3, 2 ** 28), (x) => x - 2 ** 27);
      const partial = lab.from(Int32Array, sums);
      lab.kernels.scaleSums(
        partial.pointer,
        scale.pointer,
        weightScale.pointer,
        rowBegin,
        rowEnd,
        panelBegin,
        panelEnd,
      );
      const expected = Float32Array.from(sums, (sum, at) => {
        const row = rowBegin + (Math.floor(at / PANEL) % height);
        const column = (panelBegin + Math.floor(at / PANEL / height)) * PANEL + (at % PANEL);
        return f(sum) * f(scale.data[row]! * weightScale.data[column]!);
      });
      assertSameBits(new Float32Array(partial.data.slice().buffer), expected, `${height} rows`);
    },
  );
}

test.run();
