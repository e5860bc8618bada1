import { suite } from "uvu";
import { panelElements } from "#dist/wasm/abi.js";
import { packPanels } from "../../reference/pack-panels.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("packPanels");

forEachVariant(test, "any width, both element sizes, rows to any columns, the others untouched", (lab) => {
  for (const [type, limit] of [
    [Uint32Array, 2 ** 32],
    [Uint16Array, 2 ** 16],
  ] as const) {
    for (const k of [1, 2, 3, 7, 8, 9, 33]) {
      for (const [columnBegin, rowBegin, rowEnd] of [
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 19],
        [3, 2, 9],
        [8, 1, 17],
        [15, 5, 7],
      ] as const) {
        lab.reset();
        const stride = k + 2;
        const src = lab.atEnd(type, randomIntegers(18 * stride + k, k, limit));
        const dst = lab.from(type, randomIntegers(panelElements(columnBegin + rowEnd - rowBegin, k), 3, limit));
        const expected = dst.data.slice();
        packPanels(expected, src.data, k, stride, columnBegin, rowBegin, rowEnd);
        const bytes = type.BYTES_PER_ELEMENT;
        lab.kernels.packPanels(dst.pointer, src.pointer, k, stride, bytes, columnBegin, rowBegin, rowEnd);
        assertSameBits(dst.data, expected, `k ${k}, rows ${rowBegin} to ${rowEnd} at column ${columnBegin}`);
      }
    }
  }
});

test.run();
