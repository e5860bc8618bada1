import { suite } from "uvu";
import { PANEL, panelElements } from "#dist/wasm/abi.js";
import { packColumns } from "../../reference/pack-columns.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("packColumns");

forEachVariant(test, "every number of columns, zeros in the missing ones, whole and by panels", (lab) => {
  for (let columns = 1; columns <= 25; columns++) {
    const panels = Math.ceil(columns / PANEL);
    for (const k of [0, 1, 2, 9]) {
      for (const [panelBegin, panelEnd] of [
        [0, panels],
        [0, 0],
        [panels - 1, panels],
        [0, panels - 1],
      ] as const) {
        lab.reset();
        const stride = columns + 3;
        const src = lab.atEnd(Float32Array, randomF32(Math.max(0, k - 1) * stride + columns, columns));
        const dst = lab.from(Float32Array, randomF32(panelElements(columns, k), 8));
        const expected = dst.data.slice();
        packColumns(expected, src.data, columns, k, stride, panelBegin, panelEnd);
        lab.kernels.packColumns(dst.pointer, src.pointer, columns, k, stride, panelBegin, panelEnd);
        assertSameBits(dst.data, expected, `${columns} columns, k ${k}, panels ${panelBegin} to ${panelEnd}`);
      }
    }
  }
});

test.run();
