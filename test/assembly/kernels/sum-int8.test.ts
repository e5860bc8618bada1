import { suite } from "uvu";
import { int8PanelBytes, LEVELS, PANEL, roundUp } from "#dist/wasm/abi.js";
import { crossTerm, int8Index } from "../../reference/int8.js";
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
      const { pointer } = lab.atEnd(Int8Array, panels);
      for (const form of [LEVELS.unsigned, LEVELS.signed, LEVELS.crossed]) {
        const dst = lab.from(Int32Array, new Int32Array(padded).fill(-7));
        lab.kernels.sumInt8(dst.pointer, pointer, form, k, begin, end);
        const expected = new Int32Array(padded).fill(-7);
        for (let n = begin * PANEL; n < end * PANEL; n++) {
          const column = weights.slice(n * k, (n + 1) * k);
          expected[n] = form === LEVELS.crossed ? crossTerm(column) : column.reduce((sum, weight) => sum + weight, 0);
        }
        assertSameBits(dst.data, expected, `${columns} x ${k}, form ${form}, panels ${begin} to ${end}`);
      }
    }
  }
});

test.run();
