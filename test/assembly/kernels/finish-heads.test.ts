import { suite } from "uvu";
import { PANEL, panelElements, partialBytes, roundUp } from "#dist/wasm/abi.js";
import { finishHeads } from "../../reference/finish-heads.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("finishHeads");

interface Range {
  rowBegin: number;
  rowEnd: number;
  panelBegin: number;
  panelEnd: number;
}

function check(lab: Lab, tokens: number, heads: number, headWidth: number, range: Partial<Range> = {}): void {
  lab.reset();
  const columns = 3 * heads * headWidth;
  const whole = { rowBegin: 0, rowEnd: tokens, panelBegin: 0, panelEnd: Math.ceil(columns / PANEL) };
  const { rowBegin, rowEnd, panelBegin, panelEnd } = { ...whole, ...range };
  const seed = tokens * 31 + headWidth;
  const sums = randomF32(partialBytes(rowEnd - rowBegin, panelEnd - panelBegin) / 4, seed);
  const partial = lab.scratch(sums.byteLength);
  partial.data.set(sums);
  const bias = lab.from(Float32Array, randomF32(roundUp(columns, PANEL), 3).fill(Number.NaN, columns));
  const sizes = [tokens * headWidth, panelElements(tokens, headWidth), panelElements(headWidth, tokens)];
  const outputs = sizes.map((size, at) => lab.from(Float32Array, randomF32(heads * size, seed + at)));
  const expected = outputs.map(({ data }) => data.slice());
  const [queries, keys, values] = expected as [Float32Array, Float32Array, Float32Array];
  finishHeads(queries, keys, values, sums, bias.data, tokens, heads, headWidth, rowBegin, rowEnd, panelBegin, panelEnd);
  lab.kernels.finishHeads(
    outputs[0]!.pointer,
    outputs[1]!.pointer,
    outputs[2]!.pointer,
    partial.pointer,
    bias.pointer,
    tokens,
    heads,
    headWidth,
    rowBegin,
    rowEnd,
    panelBegin,
    panelEnd,
  );
  outputs.forEach(({ data }, at) => {
    const what = `${["queries", "keys", "values"][at]}: ${tokens} tokens, ${heads} heads of ${headWidth}`;
    assertSameBits(data, expected[at]!, what);
  });
}

forEachVariant(test, "heads of every width, tokens of every number, nothing else touched", (lab) => {
  for (const tokens of [1, 5, 7, 8, 9, 16, 19]) {
    for (const heads of [1, 2, 3]) {
      for (const headWidth of [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 24]) check(lab, tokens, heads, headWidth);
    }
  }
});

forEachVariant(test, "the model's heads", (lab) => {
  check(lab, 24, 16, 64);
  check(lab, 17, 16, 72);
});

forEachVariant(test, "ranges of rows and panels, wherever they begin", (lab) => {
  for (const headWidth of [5, 8, 11, 12, 16]) {
    for (const [rowBegin, rowEnd] of [
      [0, 1],
      [0, 8],
      [3, 21],
      [8, 16],
      [15, 15],
      [20, 21],
    ] as const) {
      for (const [panelBegin, panelEnd] of [
        [0, 1],
        [1, 4],
        [3, 3],
        [2, 6],
        [3, 4],
      ] as const) {
        if (panelEnd * PANEL > roundUp(6 * headWidth, PANEL)) continue;
        check(lab, 21, 2, headWidth, { rowBegin, rowEnd, panelBegin, panelEnd });
      }
    }
  }
});

test.run();
