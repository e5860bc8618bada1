import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ATTENTION_ROWS, attentionScratchBytes, K_BLOCK, panelElements, roundUp, type Tile } from "#dist/wasm/abi.js";
import { attention } from "../../reference/attention.js";
import { panelIndex } from "../../reference/gemm.js";
import { packColumns } from "../../reference/pack-columns.js";
import { assertSameBits, assertWithin, randomF32, U } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("attention");

interface Case {
  tile: Tile;
  rows: number;
  tokens: number;
  headWidth: number;
  scale: number;
  qStride: number;
  outStride: number;
  keys: Float32Array;
  values: Float32Array;
  out: Buffer<Float32Array>;
  q: Buffer<Float32Array>;
  keyPanels: Buffer<Float32Array>;
  valuePanels: Buffer<Float32Array>;
  scratch: Buffer<Float32Array>;
}

/** Strides beyond the width; NaN in the scratch and in the padded columns of the keys. */
function prepare(lab: Lab, tile: Tile, rows: number, tokens: number, headWidth: number, spread = 1): Case {
  const seed = rows * 7 + tokens * 31 + headWidth;
  const keys = randomF32(tokens * headWidth, seed, spread);
  const values = randomF32(tokens * headWidth, seed + 1);
  const keyPanels = new Float32Array(panelElements(tokens, headWidth)).fill(Number.NaN);
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < headWidth; i++) keyPanels[panelIndex(t, i, headWidth)] = keys[t * headWidth + i]!;
  }
  const valuePanels = new Float32Array(panelElements(headWidth, tokens));
  packColumns(valuePanels, values, headWidth, tokens, headWidth, 0, roundUp(headWidth, 8) / 8);
  const [qStride, outStride] = [headWidth + 5, headWidth + 3];
  return {
    tile,
    rows,
    tokens,
    headWidth,
    scale: headWidth ** -0.5,
    qStride,
    outStride,
    keys,
    values,
    out: lab.from(Float32Array, randomF32(rows * outStride, seed + 2)),
    q: lab.atEnd(Float32Array, randomF32(Math.max(0, rows - 1) * qStride + headWidth, seed + 3, spread)),
    keyPanels: lab.from(Float32Array, keyPanels),
    valuePanels: lab.from(Float32Array, valuePanels),
    scratch: lab.scratch(attentionScratchBytes(rows, tokens)),
  };
}

function run(lab: Lab, c: Case, rowBegin = 0, rowEnd = c.rows): void {
  lab.kernels.attention(
    c.out.pointer,
    c.q.pointer,
    c.keyPanels.pointer,
    c.valuePanels.pointer,
    c.scratch.pointer,
    c.tokens,
    c.headWidth,
    c.scale,
    c.qStride,
    c.outStride,
    rowBegin,
    rowEnd,
    c.tile,
  );
}

/**
 * The contract's bound. A score is a sum of at most K_BLOCK chained products per block and one product with the scale, so it is off by s;
 * that moves a probability relatively by 2 s at most (itself and the sum), to which come two ULP (4 u) of exp here and in the sum, the roundings
 * of the sum, its reciprocal and the two products. The second product adds its own chain.
 */
function bound(c: Case): (index: number) => number {
  const chain = (k: number) => Math.min(k, K_BLOCK) + Math.ceil(k / K_BLOCK) + 1;
  const rowBounds = Array.from({ length: c.rows }, (_, r) => {
    let largest = 0;
    for (let t = 0; t < c.tokens; t++) {
      let norm = 0;
      for (let i = 0; i < c.headWidth; i++) {
        norm += Math.abs(c.q.data[r * c.qStride + i]! * c.keys[t * c.headWidth + i]!);
      }
      largest = Math.max(largest, norm * c.scale);
    }
    // the difference from the maximum rounds too: |difference| <= 2 largest
    const score = (chain(c.headWidth) + 3) * U * largest;
    return 2 * score + (c.tokens / 4 + 20 + chain(c.tokens)) * U;
  });
  // probabilities sum to 1, values are below 1
  return (index) => 1.01 * rowBounds[Math.floor(index / c.outStride)]!;
}

function check(lab: Lab, c: Case): void {
  const exact = Float64Array.from(c.out.data);
  attention(exact, c.q.data, c.keys, c.values, c.tokens, c.headWidth, c.scale, c.qStride, c.outStride, 0, c.rows);
  const before = c.out.data.slice();
  run(lab, c);
  assertWithin(c.out.data, exact, bound(c), `${c.rows} rows, ${c.tokens} tokens, width ${c.headWidth}`);
  const gap = (_: number, index: number) => index % c.outStride >= c.headWidth;
  assertSameBits(c.out.data.filter(gap), before.filter(gap), "between the rows");
}

forEachTile(test, "every number of tokens and every tail of the head", (lab, tile) => {
  for (let tokens = 1; tokens <= 17; tokens++) {
    for (const headWidth of [1, 3, 4, 5, 8, 9, 12, 16]) {
      lab.reset();
      check(lab, prepare(lab, tile, 3, tokens, headWidth));
    }
  }
});

forEachTile(test, "every number of rows up to two tiles, and across row blocks", (lab, tile) => {
  for (const rows of [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    ATTENTION_ROWS - 1,
    ATTENTION_ROWS,
    ATTENTION_ROWS + 1,
    2 * ATTENTION_ROWS + 7,
  ]) {
    lab.reset();
    check(lab, prepare(lab, tile, rows, 20, 24));
  }
});

forEachTile(test, "the model's shape, more tokens than a block, and a head wider than one", (lab, tile) => {
  for (const [rows, tokens, headWidth] of [
    [7, 576, 64],
    [5, K_BLOCK + 1, 72],
    [4, 2 * K_BLOCK, 8],
    [4, 9, K_BLOCK + 44],
  ] as const) {
    lab.reset();
    check(lab, prepare(lab, tile, rows, tokens, headWidth));
  }
});

forEachTile(test, "scores far apart: the largest takes all, nothing overflows", (lab, tile) => {
  const c = prepare(lab, tile, 6, 21, 16, 60);
  check(lab, c);
  const [r, sharp] = [2, c.out.data];
  assert.ok(sharp.slice(r * c.outStride, r * c.outStride + 16).every((x) => Math.abs(x) <= 1));
});

forEachTile(test, "any split of the rows gives the same bytes; other rows untouched", (lab, tile) => {
  const c = prepare(lab, tile, 130, 19, 12);
  const before = c.out.data.slice();
  run(lab, c);
  const whole = c.out.data.slice();
  for (const [rowBegin, rowEnd] of [
    [0, 0],
    [0, 1],
    [1, 62],
    [57, 130],
    [129, 130],
  ] as const) {
    c.out.data.set(before);
    c.scratch.data.fill(Number.NaN);
    const expected = before.slice();
    expected.set(whole.subarray(rowBegin * c.outStride, rowEnd * c.outStride), rowBegin * c.outStride);
    for (let r = rowBegin; r < rowEnd; r++) {
      const gap = r * c.outStride + c.headWidth;
      expected.set(before.subarray(gap, (r + 1) * c.outStride), gap);
    }
    run(lab, c, rowBegin, rowEnd);
    assertSameBits(c.out.data, expected, `rows ${rowBegin} to ${rowEnd}`);
  }
});

forEachTile(test, "NaN in a query stays in its row; an infinite score shows as NaN", (lab, tile) => {
  const c = prepare(lab, tile, 7, 13, 8);
  c.q.data[2 * c.qStride + 3] = Number.NaN;
  c.q.data[5 * c.qStride + 1] = Number.POSITIVE_INFINITY;
  run(lab, c);
  for (let r = 0; r < c.rows; r++) {
    const row = c.out.data.slice(r * c.outStride, r * c.outStride + c.headWidth);
    assert.ok(row.every(r === 2 || r === 5 ? Number.isNaN : Number.isFinite), `row ${r}`);
  }
});

test.run();
