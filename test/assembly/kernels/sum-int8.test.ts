import { suite } from "uvu";
import { int8PanelBytes, PANEL, roundUp } from "#dist/wasm/abi.js";
import { int8Index } from "../../reference/int8.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("sum-int8");

forEachVariant(test, "columns of every length, panels in range only", (lab) => {
  for (const [columns, k] of [
    [8, 1],
    [16, 4],
    [21, 7],
    [40, 1030],
  ] as const) {
    for (const [begin, end] of [
      [0, Math.ceil(columns / PANEL)],
      [1, 2],
      [1, 1],
    ] as const) {
      if (end > Math.ceil(columns / PANEL)) continue;
      lab.reset();
      const padded = roundUp(columns, PANEL);
      const weights = randomIntegers(padded * k, columns + k, 256).map((x) => x - 128);
      const panels = new Int8Array(int8PanelBytes(columns, k));
      for (let n = 0; n < padded; n++) for (let i = 0; i < k; i++) panels[int8Index(n, i, k)] = weights[n * k + i]!;
      const dst = lab.from(Int32Array, new Int32Array(padded).fill(-7));
      lab.kernels.sumInt8(dst.pointer, lab.atEnd(Int8Array, panels).pointer, k, begin, end);
      const expected = new Int32Array(padded).fill(-7);
      for (let n = begin * PANEL; n < end * PANEL; n++) {
        expected[n] = 0;
        for (let i = 0; i < k; i++) expected[n] = expected[n]! + weights[n * k + i]!;
      }
      assertSameBits(dst.data, expected, `${columns} x ${k}, panels ${begin} to ${end}`);
    }
  }
});

test.run();
