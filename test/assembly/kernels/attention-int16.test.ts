import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scoreLevels, valueLevels } from "#dist/ops/attention-int16.js";
import {
  ATTENTION_ROWS,
  attentionInt16ScratchBytes,
  blockElements,
  int16PanelBytes,
  LEVELS,
  type LevelForm,
  panelElements,
  type Tile,
} from "#dist/wasm/abi.js";
import { attention } from "../../reference/attention.js";
import { blockIndex } from "../../reference/column-block.js";
import { panelIndex } from "../../reference/multiply.js";
import { assertSameBits, assertWithin, randomF32, U } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("attention-int16");

interface Case {
  tile: Tile;
  rows: number;
  tokens: number;
  headWidth: number;
  column: number;
  q: Buffer<Float32Array>;
  keys: Float32Array;
  values: Float32Array;
  keyPanels: Buffer<Float32Array>;
  valuePanels: Buffer<Float32Array>;
  out: Buffer<Float32Array>;
  scratch: Buffer<Float32Array>;
}

/** f32 panels of a matrix [columns, k], NaN in columns that are none. */
function panelsOf(
  lab: Lab,
  columns: number,
  k: number,
  at: (column: number, k: number) => number,
): Buffer<Float32Array> {
  const panels = lab.scratch(panelElements(columns, k) * 4);
  for (let n = 0; n < columns; n++) for (let i = 0; i < k; i++) panels.data[panelIndex(n, i, k)] = at(n, i);
  return panels;
}

interface Given {
  readonly q: Float32Array;
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

function randomHead(rows: number, tokens: number, headWidth: number, spread = 1): Given {
  const seed = rows * 7 + tokens * 31 + headWidth;
  return {
    q: randomF32(rows * headWidth, seed + 3, spread),
    keys: randomF32(tokens * headWidth, seed, spread),
    values: randomF32(tokens * headWidth, seed + 1),
  };
}

/** A head whose columns begin at `column` of an output with as many after it. NaN in the scratch; the queries end where the memory does. */
function prepare(lab: Lab, tile: Tile, tokens: number, headWidth: number, given: Given, column = 0): Case {
  const { keys, values } = given;
  const rows = given.q.length / headWidth;
  return {
    tile,
    rows,
    tokens,
    headWidth,
    column,
    keys,
    values,
    q: lab.atEnd(Float32Array, given.q),
    keyPanels: panelsOf(lab, tokens, headWidth, (t, i) => keys[t * headWidth + i]!),
    valuePanels: panelsOf(lab, headWidth, tokens, (n, t) => values[t * headWidth + n]!),
    out: lab.from(Float32Array, randomF32(blockElements(tokens, 2 * column + headWidth), 2)),
    scratch: lab.scratch(attentionInt16ScratchBytes(rows, tokens, headWidth)),
  };
}

function run(lab: Lab, c: Case, form: LevelForm = LEVELS.crossed, rowBegin = 0, rowEnd = c.rows): void {
  const { tokens, headWidth } = c;
  const keys = lab.scratch(int16PanelBytes(tokens, headWidth));
  const values = lab.scratch(int16PanelBytes(headWidth, tokens));
  const levels = scoreLevels(headWidth);
  const { kernels } = lab;
  kernels.quantisePanels(keys.pointer, c.keyPanels.pointer, form, headWidth, levels, 0, Math.ceil(tokens / 8));
  const most = valueLevels(tokens);
  kernels.quantisePanels(values.pointer, c.valuePanels.pointer, form, tokens, most, 0, Math.ceil(headWidth / 8));
  kernels.attentionInt16(
    c.out.pointer,
    c.q.pointer,
    keys.pointer,
    values.pointer,
    c.scratch.pointer,
    form,
    tokens,
    headWidth,
    c.column,
    headWidth ** -0.5,
    levels,
    rowBegin,
    rowEnd,
    c.tile,
  );
}

const largest = (x: Float32Array): number => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/**
 * The contract's bound, in natural units. A score is off by e, from the levels of both and a few roundings; a numerator by a factor within 1 ± E and by half a level. Numerators are those of the exact
 * scores times a common factor within e of 1, which their sum takes away; a value is off by half its scale, or below 2^-100 zero.
 */
function bounds(c: Case): Float64Array {
  const { tokens, headWidth } = c;
  const scale = headWidth ** -0.5;
  const half = 0.5 + 2 ** -10;
  const levels = scoreLevels(headWidth);
  const bound = new Float64Array(c.rows * headWidth);
  for (let r = 0; r < c.rows; r++) {
    const q = c.q.data.subarray(r * headWidth, (r + 1) * headWidth);
    const qStep = largest(q) / levels;
    let e = 0;
    const scores = Array.from({ length: tokens }, (_, t) => {
      const k = c.keys.subarray(t * headWidth, (t + 1) * headWidth);
      const kStep = largest(k) / levels;
      let [score, own] = [0, headWidth * half * half * qStep * kStep];
      for (let i = 0; i < headWidth; i++) {
        score += q[i]! * k[i]! * scale;
        own += half * (qStep * Math.abs(k[i]!) + kStep * Math.abs(q[i]!));
      }
      e = Math.max(e, own * scale + 12 * U * Math.abs(score));
      return score;
    });
    const top = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
    const E = Math.expm1(2 * e) + 8e-5 + 16 * U;
    const lost = (tokens * (half + 2 ** -4)) / 4096;
    const least = Math.max(1 - E, sum * (1 - E) - lost, 2 ** -12);
    for (let n = 0; n < headWidth; n++) {
      const column = Float32Array.from({ length: tokens }, (_, t) => c.values[t * headWidth + n]!);
      const most = largest(column);
      // Values lie within 2 most of the exact output.
      const moved = (2 * most * (sum * E + lost)) / least;
      bound[r * headWidth + n] = moved + (half * most) / valueLevels(tokens) + 16 * U * most + 2 ** -99;
    }
  }
  return bound;
}

/** The head's part of the output, rows one after another. */
function outputs(c: Case): Float32Array {
  return Float32Array.from({ length: c.rows * c.headWidth }, (_, at) => {
    const [r, n] = [Math.floor(at / c.headWidth), at % c.headWidth];
    return c.out.data[blockIndex(c.tokens, r, c.column + n)]!;
  });
}

function exactOutputs(c: Case): Float64Array {
  const exact = new Float64Array(c.rows * c.headWidth);
  const { tokens, headWidth, rows } = c;
  attention(exact, c.q.data, c.keys, c.values, tokens, headWidth, headWidth ** -0.5, headWidth, headWidth, 0, rows);
  return exact;
}

/** `all` with the head's part of rows [rowBegin, rowEnd) from `other`. */
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

/** Within the bound, nothing beside the head, and the same bytes by plain products. */
function check(lab: Lab, c: Case): void {
  const before = c.out.data.slice();
  run(lab, c);
  const what = `${c.rows} rows, ${c.tokens} tokens, width ${c.headWidth}, column ${c.column}`;
  const bound = bounds(c);
  assertWithin(outputs(c), exactOutputs(c), (index) => bound[index]!, what);
  const after = c.out.data.slice();
  assertSameBits(after, patched(c, before, after), `${what}: beside the head`);
  c.out.data.set(before);
  c.scratch.data.fill(Number.NaN);
  run(lab, c, LEVELS.wide);
  assertSameBits(c.out.data, after, `${what}: plain products`);
}

forEachTile(test, "every number of tokens of a group, and every tail of the head", (lab, tile) => {
  for (const tokens of [1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 25, 31, 33]) {
    for (const headWidth of [1, 2, 3, 4, 5, 8, 9, 12, 13, 15, 16, 17, 21, 26, 31]) {
      lab.reset();
      check(lab, prepare(lab, tile, tokens, headWidth, randomHead(Math.min(3, tokens), tokens, headWidth, 2)));
    }
  }
});

forEachTile(test, "every number of rows up to two tiles, and across row blocks", (lab, tile) => {
  for (const rows of [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, ATTENTION_ROWS - 1, ATTENTION_ROWS, 2 * ATTENTION_ROWS + 7]) {
    lab.reset();
    const tokens = Math.max(20, rows);
    check(lab, prepare(lab, tile, tokens, 24, randomHead(rows, tokens, 24)));
  }
});

forEachTile(test, "the model's shape, long heads and many tokens", (lab, tile) => {
  for (const [rows, tokens, headWidth] of [
    [7, 576, 64],
    [5, 257, 72],
    [4, 9, 300],
    [3, 2000, 8],
  ] as const) {
    lab.reset();
    check(lab, prepare(lab, tile, tokens, headWidth, randomHead(rows, tokens, headWidth)));
  }
});

forEachTile(test, "a head anywhere in the output, across column blocks", (lab, tile) => {
  for (const headWidth of [3, 4, 5, 8, 12, 13, 24]) {
    for (const column of [1, 2, 4, 8, 240, 247, 250, 252, 253, 255, 256, 260]) {
      lab.reset();
      check(lab, prepare(lab, tile, 5, headWidth, randomHead(3, 5, headWidth), column));
    }
  }
});

forEachTile(test, "sums at their ends: all levels the largest, of either sign", (lab, tile) => {
  for (const [tokens, headWidth] of [
    [576, 64],
    [33, 128],
    [2, 1],
    [1, 8],
    [4096, 4],
  ] as const) {
    for (const sign of [1, -1]) {
      lab.reset();
      const rows = Math.min(3, tokens);
      const given = {
        q: new Float32Array(rows * headWidth).fill(0.7),
        keys: new Float32Array(tokens * headWidth).fill(sign * 0.9),
        values: new Float32Array(tokens * headWidth).fill(sign * 1.3),
      };
      const c = prepare(lab, tile, tokens, headWidth, given);
      check(lab, c);
      // All numerators are the same: what is left of the bound is the rounding of floats.
      assertWithin(
        outputs(c),
        new Float32Array(rows * headWidth).fill(sign * 1.3),
        () => 8 * U,
        `${tokens} x ${headWidth}`,
      );
    }
  }
});

forEachTile(test, "huge and tiny magnitudes, and none at all", (lab, tile) => {
  for (const [query, key, value] of [
    [1e15, 1e-15, 1e30],
    [1e-20, 1e20, 1e-25],
    [1e-25, 1e-25, 1e-33],
    [0, 1, 1],
    [1, 0, 1],
    [1, 1, 0],
    [0, 0, 0],
    [1e4, 1e4, 1],
  ] as const) {
    lab.reset();
    const { q, keys, values } = randomHead(4, 21, 12);
    const given = { q: q.map((x) => x * query), keys: keys.map((x) => x * key), values: values.map((x) => x * value) };
    check(lab, prepare(lab, tile, 21, 12, given));
  }
});

forEachTile(test, "the largest score takes all, wherever it stands", (lab, tile) => {
  for (const tokens of [1, 2, 5, 8, 15, 16, 17, 33]) {
    for (let most = 0; most < tokens; most++) {
      lab.reset();
      const given = { ...randomHead(1, tokens, 4), q: new Float32Array(4).fill(10) };
      for (let i = 0; i < 4; i++) given.keys[most * 4 + i] = 10;
      const c = prepare(lab, tile, tokens, 4, given);
      check(lab, c);
      const values = given.values.slice(most * 4, (most + 1) * 4);
      assertWithin(outputs(c), values, () => 0.51 / valueLevels(tokens), `${most} of ${tokens}`);
    }
  }
});

forEachTile(
  test,
  "far within the bound: of the model's shape 0.3 % of what comes out, most of it the many small numerators",
  (lab, tile) => {
    const c = prepare(lab, tile, 576, 64, randomHead(60, 576, 64, 2.5));
    run(lab, c);
    const [exact, actual] = [exactOutputs(c), outputs(c)];
    let [wrong, all] = [0, 0];
    exact.forEach((value, i) => {
      wrong += (actual[i]! - value) ** 2;
      all += value ** 2;
    });
    const error = Math.sqrt(wrong / all);
    assert.ok(error < 4e-3, `${error}`);
  },
);

forEachTile(test, "any split of the rows gives the same bytes; other rows untouched", (lab, tile) => {
  const c = prepare(lab, tile, 130, 12, randomHead(130, 130, 12));
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
    run(lab, c, LEVELS.crossed, rowBegin, rowEnd);
    assertSameBits(c.out.data, patched(c, before, whole, rowBegin, rowEnd), `rows ${rowBegin} to ${rowEnd}`);
  }
});

forEachTile(
  test,
  "what is not finite shows as NaN: in a query in its row, in a value in its column, in a key everywhere",
  (lab, tile) => {
    const [rows, tokens, headWidth] = [7, 21, 11];
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const [where, at, wrong] of [
        ["q", 2 * headWidth + 10, (r: number) => r === 2],
        ["values", 19 * headWidth + 9, (_: number, n: number) => n === 9],
        ["keys", 20 * headWidth + 3, () => true],
        ["keys", 13 * headWidth, () => true],
      ] as const) {
        lab.reset();
        const given = randomHead(rows, tokens, headWidth);
        given[where][at] = value;
        const c = prepare(lab, tile, tokens, headWidth, given);
        run(lab, c);
        outputs(c).forEach((x, i) => {
          const [r, n] = [Math.floor(i / headWidth), i % headWidth];
          assert.is(Number.isFinite(x), !wrong(r, n), `${value} in ${where}: [${r},${n}] ${x}`);
          assert.is(Number.isNaN(x), wrong(r, n), `${value} in ${where}: [${r},${n}] ${x}`);
        });
        c.out.data.fill(0);
      }
    }
  },
);

test.run();
