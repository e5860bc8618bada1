import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ATTENTION_ROWS,
  attentionScratchBytes,
  blockElements,
  K_BLOCK,
  panelElements,
  type Tile,
} from "#dist/wasm/abi.js";
import { attention } from "../../reference/attention.js";
import { blockIndex } from "../../reference/column-block.js";
import { panelIndex } from "../../reference/multiply.js";
import { assertSameBits, assertWithin, randomF32, U } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("attention");

interface Case {
  tile: Tile;
  rows: number;
  tokens: number;
  headWidth: number;
  scale: number;
  column: number;
  keys: Float32Array;
  values: Float32Array;
  out: Buffer<Float32Array>;
  q: Buffer<Float32Array>;
  keyPanels: Buffer<Float32Array>;
  valuePanels: Buffer<Float32Array>;
  scratch: Buffer<Float32Array>;
}

/**
 * The queries of `rows` of the tokens; NaN in the scratch and in the padded columns of keys and values. The head begins at `column` of an output with as
 * many columns after it; `last` ends where the memory does.
 */
function prepare(
  lab: Lab,
  tile: Tile,
  rows: number,
  tokens: number,
  headWidth: number,
  spread = 1,
  column = 0,
  last: "q" | "keyPanels" | "valuePanels" = "q",
): Case {
  const put = (name: typeof last, data: Float32Array): Buffer<Float32Array> =>
    name === last ? lab.atEnd(Float32Array, data) : lab.from(Float32Array, data);
  const seed = rows * 7 + tokens * 31 + headWidth;
  const keys = randomF32(tokens * headWidth, seed, spread);
  const values = randomF32(tokens * headWidth, seed + 1);
  const keyPanels = new Float32Array(panelElements(tokens, headWidth)).fill(Number.NaN);
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < headWidth; i++) keyPanels[panelIndex(t, i, headWidth)] = keys[t * headWidth + i]!;
  }
  const valuePanels = new Float32Array(panelElements(headWidth, tokens)).fill(Number.NaN);
  for (let t = 0; t < tokens; t++) {
    for (let n = 0; n < headWidth; n++) valuePanels[panelIndex(n, t, tokens)] = values[t * headWidth + n]!;
  }
  return {
    tile,
    rows,
    tokens,
    headWidth,
    scale: headWidth ** -0.5,
    column,
    keys,
    values,
    out: lab.from(Float32Array, randomF32(blockElements(tokens, 2 * column + headWidth), seed + 2)),
    q: put("q", randomF32(rows * headWidth, seed + 3, spread)),
    keyPanels: put("keyPanels", keyPanels),
    valuePanels: put("valuePanels", valuePanels),
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
    c.column,
    c.scale,
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
        norm += Math.abs(c.q.data[r * c.headWidth + i]! * c.keys[t * c.headWidth + i]!);
      }
      largest = Math.max(largest, norm * c.scale);
    }
    // the difference from the maximum rounds too: |difference| <= 2 largest
    const score = (chain(c.headWidth) + 3) * U * largest;
    return 2 * score + (c.tokens / 4 + 20 + chain(c.tokens)) * U;
  });
  // probabilities sum to 1, values are below 1
  return (index) => 1.01 * rowBounds[Math.floor(index / c.headWidth)]!;
}

/** The head's part of the output, rows one after another. */
function outputs(c: Case): Float32Array {
  return Float32Array.from({ length: c.rows * c.headWidth }, (_, at) => {
    const [r, n] = [Math.floor(at / c.headWidth), at % c.headWidth];
    return c.out.data[blockIndex(c.tokens, r, c.column + n)]!;
  });
}

/** `all` with the head's rows [rowBegin, rowEnd) taken from `other`. */
function patched(c: Case, all: Float32Array, other: Float32Array, rowBegin = 0, rowEnd = c.rows): Float32Array {
  const result = all.slice();
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let n = 0; n < c.headWidth; n++) {
      const at = blockIndex(c.tokens, r, c.column + n);
      result[at] = other[at]!;
    }
  }
  return result;
}

function check(lab: Lab, c: Case): void {
  const exact = new Float64Array(c.rows * c.headWidth);
  const { tokens, headWidth, rows } = c;
  attention(exact, c.q.data, c.keys, c.values, tokens, headWidth, c.scale, headWidth, headWidth, 0, rows);
  const before = c.out.data.slice();
  run(lab, c);
  assertWithin(outputs(c), exact, bound(c), `${rows} rows, ${tokens} tokens, width ${headWidth}, column ${c.column}`);
  assertSameBits(c.out.data, patched(c, before, c.out.data), "beside the head");
}

forEachTile(test, "every number of tokens and every tail of the head", (lab, tile) => {
  for (let tokens = 1; tokens <= 17; tokens++) {
    for (const headWidth of [1, 3, 4, 5, 8, 9, 12, 16]) {
      lab.reset();
      check(lab, prepare(lab, tile, Math.min(3, tokens), tokens, headWidth));
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
    check(lab, prepare(lab, tile, rows, Math.max(20, rows), 24));
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

forEachTile(
  test,
  "a head anywhere in the output, across column blocks, and on columns that are no multiple of 4",
  (lab, tile) => {
    for (const headWidth of [3, 4, 5, 8, 12, 13, 24]) {
      for (const column of [1, 2, 4, 8, 13, 240, 244, 247, 250, 252, 253, 255, 256, 260]) {
        lab.reset();
        check(lab, prepare(lab, tile, 3, 5, headWidth, 1, column));
      }
    }
  },
);

forEachTile(test, "scores far apart: the largest takes all, nothing overflows", (lab, tile) => {
  const c = prepare(lab, tile, 6, 21, 16, 60);
  check(lab, c);
  assert.ok(outputs(c).every((x) => Math.abs(x) <= 1));
});

forEachTile(test, "the maximum is found wherever it stands: without it exp would overflow", (lab, tile) => {
  for (const tokens of [1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 31, 33]) {
    for (let largest = 0; largest < tokens; largest++) {
      lab.reset();
      const c = prepare(lab, tile, 1, tokens, 4);
      c.q.data.fill(10);
      for (let i = 0; i < 4; i++) {
        c.keys[largest * 4 + i] = 10;
        c.keyPanels.data[panelIndex(largest, i, 4)] = 10;
      }
      check(lab, c);
      assertSameBits(outputs(c), c.values.slice(largest * 4, (largest + 1) * 4), `${largest} of ${tokens}`);
    }
  }
});

forEachTile(test, "reads nothing beyond keys and values", (lab, tile) => {
  for (const tokens of [1, 4, 9, 16]) {
    for (const headWidth of [3, 8, 20]) {
      for (const which of ["keyPanels", "valuePanels"] as const) {
        lab.reset();
        check(lab, prepare(lab, tile, 1, tokens, headWidth, 1, 0, which));
      }
    }
  }
});

forEachTile(test, "any split of the rows gives the same bytes; other rows untouched", (lab, tile) => {
  const c = prepare(lab, tile, 130, 130, 12);
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
    run(lab, c, rowBegin, rowEnd);
    assertSameBits(c.out.data, patched(c, before, whole, rowBegin, rowEnd), `rows ${rowBegin} to ${rowEnd}`);
  }
});

forEachTile(test, "NaN in a query stays in its row; an infinite score shows as NaN", (lab, tile) => {
  const c = prepare(lab, tile, 7, 13, 8);
  c.q.data[2 * 8 + 3] = Number.NaN;
  c.q.data[5 * 8 + 1] = Number.POSITIVE_INFINITY;
  run(lab, c);
  for (let r = 0; r < c.rows; r++) {
    const row = outputs(c).slice(r * 8, (r + 1) * 8);
    assert.ok(row.every(r === 2 || r === 5 ? Number.isNaN : Number.isFinite), `row ${r}`);
  }
});

test.run();
