import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  INT8_WIDENED_BYTES,
  int8PanelBytes,
  LEVEL_BLOCK,
  LEVELS,
  type LevelForm,
  NULL,
  PANEL,
  partialBytes,
  roundUp,
  type Tile,
} from "#dist/wasm/abi.js";
import { crossTerm, int8Index, levelIndex, multiplyInt8 } from "../../reference/int8.js";
import { assertSameBits, randomF32, randomIntegers } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("multiply-int8");

/** Every test by both ways of making the products, with each tile. */
function forEachForm(title: string, body: (lab: Lab, tile: Tile, form: LevelForm) => void): void {
  forEachTile(test, `${title}, plain`, (lab, tile) => body(lab, tile, LEVELS.wide));
  forEachTile(test, `${title}, crossed`, (lab, tile) => body(lab, tile, LEVELS.crossed));
}

interface Case {
  form: LevelForm;
  rows: number;
  columns: number;
  k: number;
  partial: Buffer<Int32Array>;
  a: Buffer<Int16Array>;
  panels: Buffer<Int8Array>;
  scratch: Buffer<Float32Array>;
  zero: Buffer<Int32Array>;
  weightSum: Buffer<Int32Array>;
}

type Level = (r: number, i: number) => number;
type Weight = (n: number, i: number) => number;

/** Operands from functions; garbage in the partial sums and where a has no column (but zeros where crossed products read them), zeros where a panel has no k. */
function prepare(
  lab: Lab,
  form: LevelForm,
  rows: number,
  columns: number,
  k: number,
  level?: Level,
  weight?: Weight,
): Case {
  const seed = rows * 10007 + columns * 101 + k;
  const levels = randomIntegers(rows * k, seed, 511);
  const weights = randomIntegers(roundUp(columns, PANEL) * k, seed + 1, 255);
  const a = new Int16Array(rows * roundUp(k, LEVEL_BLOCK)).fill(12345);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < k; i++) a[levelIndex(rows, r, i)] = level ? level(r, i) : levels[r * k + i]! - 255;
  if (form === LEVELS.crossed)
    for (let r = 0; r < rows; r++) for (let i = k; i < roundUp(k, 4); i++) a[levelIndex(rows, r, i)] = 0;
  const panels = new Int8Array(int8PanelBytes(columns, k));
  for (let n = 0; n < roundUp(columns, PANEL); n++)
    for (let i = 0; i < k; i++) panels[int8Index(n, i, k)] = weight ? weight(n, i) : weights[n * k + i]! - 127;
  const along = Array.from({ length: k }, (_, i) => i);
  const zero = Int32Array.from({ length: rows }, (_, r) => crossTerm(along.map((i) => a[levelIndex(rows, r, i)]!)));
  const weightSum = Int32Array.from({ length: roundUp(columns, PANEL) }, (_, n) =>
    crossTerm(along.map((i) => panels[int8Index(n, i, k)]!)),
  );
  return {
    form,
    rows,
    columns,
    k,
    partial: lab.from(Int32Array, new Int32Array(partialBytes(rows, Math.ceil(columns / PANEL)) / 4).fill(0x55555555)),
    a: lab.from(Int16Array, a),
    panels: lab.from(Int8Array, panels),
    scratch: lab.scratch(INT8_WIDENED_BYTES),
    zero: lab.from(Int32Array, zero),
    weightSum: lab.from(Int32Array, weightSum),
  };
}

interface Range {
  rowBegin: number;
  rowEnd: number;
  panelBegin: number;
  panelEnd: number;
}

function whole({ rows, columns }: Case): Range {
  return { rowBegin: 0, rowEnd: rows, panelBegin: 0, panelEnd: Math.ceil(columns / PANEL) };
}

function run(lab: Lab, c: Case, tile: Tile, range: Range): void {
  const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
  const { partial, a, panels, scratch } = c;
  for (let k = 0; k < c.k; k += LEVEL_BLOCK) {
    const at = [partial.pointer, a.pointer, panels.pointer, scratch.pointer] as const;
    lab.kernels.multiplyInt8(
      ...at,
      NULL,
      c.zero.pointer,
      NULL,
      c.weightSum.pointer,
      c.form,
      c.rows,
      c.k,
      rowBegin,
      rowEnd,
      k,
      panelBegin,
      panelEnd,
      tile,
    );
  }
}

/** The integers of the range, and what lies behind them untouched. */
function check(lab: Lab, c: Case, tile: Tile, range = whole(c)): void {
  const expected = c.partial.data.slice();
  run(lab, c, tile, range);
  const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
  multiplyInt8(expected, c.a.data, c.panels.data, c.rows, c.k, rowBegin, rowEnd, panelBegin, panelEnd);
  assertSameBits(c.partial.data, expected, `${c.rows} x ${c.columns} x ${c.k}`);
}

forEachForm("every ragged shape", (lab, tile, form) => {
  for (let rows = 1; rows <= 13; rows++) {
    for (const columns of [1, 8, 9, 16, 17, 24]) {
      for (const k of [1, 2, 3, 4, 5, 7, 8, 9]) {
        lab.reset();
        check(lab, prepare(lab, form, rows, columns, k), tile);
      }
    }
  }
});

forEachForm("k about a block, with tiles, rows and panels left over", (lab, tile, form) => {
  for (const rows of [1, 5, 6, 7, 13]) {
    for (const columns of [8, 16, 24]) {
      for (const k of [LEVEL_BLOCK - 1, LEVEL_BLOCK, LEVEL_BLOCK + 1, 2 * LEVEL_BLOCK + 6]) {
        lab.reset();
        check(lab, prepare(lab, form, rows, columns, k), tile);
      }
    }
  }
});

forEachForm("ranges of rows and panels", (lab, tile, form) => {
  for (const [rowBegin, rowEnd] of [
    [0, 1],
    [1, 8],
    [8, 23],
  ] as const) {
    for (const [panelBegin, panelEnd] of [
      [0, 2],
      [2, 5],
      [1, 4],
    ] as const) {
      lab.reset();
      check(lab, prepare(lab, form, 23, 40, 270), tile, { rowBegin, rowEnd, panelBegin, panelEnd });
    }
  }
});

forEachForm("without rows or panels nothing is touched", (lab, tile, form) => {
  const c = prepare(lab, form, 7, 16, 30);
  const before = c.partial.data.slice();
  run(lab, c, tile, { ...whole(c), rowBegin: 6, rowEnd: 5 });
  run(lab, c, tile, { ...whole(c), panelBegin: 1, panelEnd: 1 });
  assertSameBits(c.partial.data, before, "nothing");
});

forEachForm("all 256 x 256 products", (lab, tile, form) => {
  // Row r has level r - 128 in every k, column n of panel group g weight n + 8 g - 128: each output is four times one product.
  for (const zero of [0, 128, 255]) {
    lab.reset();
    const c = prepare(
      lab,
      form,
      256,
      256,
      4,
      (r) => r - zero,
      (n) => n - 128,
    );
    run(lab, c, tile, whole(c));
    for (let r = 0; r < 256; r++) {
      for (let n = 0; n < 256; n++) {
        const sum = c.partial.data[(Math.floor(n / PANEL) * 256 + r) * PANEL + (n % PANEL)];
        if (sum !== 4 * (r - zero) * (n - 128)) assert.unreachable(`${r - zero} * ${n - 128}: 4 of them are ${sum}`);
      }
    }
  }
});

forEachForm("extremes at k = 4096", (lab, tile, form) => {
  for (const level of [-255, 255]) {
    for (const weight of [-128, 127]) {
      lab.reset();
      const c = prepare(
        lab,
        form,
        7,
        16,
        4096,
        () => level,
        () => weight,
      );
      run(lab, c, tile, whole(c));
      assertSameBits(c.partial.data, new Int32Array(c.partial.data.length).fill(4096 * level * weight), "extremes");
    }
  }
});

const f = Math.fround;

forEachForm("with scales, the last block leaves floats: one rounding each", (lab, tile, form) => {
  for (const k of [6, LEVEL_BLOCK, LEVEL_BLOCK + 5]) {
    for (const range of [
      { rowBegin: 0, rowEnd: 9, panelBegin: 0, panelEnd: 3 },
      { rowBegin: 2, rowEnd: 7, panelBegin: 1, panelEnd: 3 },
    ]) {
      lab.reset();
      const c = prepare(lab, form, 9, 24, k);
      const scale = lab.from(Float32Array, randomF32(9, 1));
      const weightScale = lab.from(Float32Array, randomF32(24, 2));
      const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
      const sums = c.partial.data.slice();
      multiplyInt8(sums, c.a.data, c.panels.data, c.rows, k, rowBegin, rowEnd, panelBegin, panelEnd);
      const at = [c.partial.pointer, c.a.pointer, c.panels.pointer, c.scratch.pointer] as const;
      for (let begin = 0; begin < k; begin += LEVEL_BLOCK)
        lab.kernels.multiplyInt8(
          ...at,
          scale.pointer,
          c.zero.pointer,
          weightScale.pointer,
          c.weightSum.pointer,
          form,
          c.rows,
          k,
          rowBegin,
          rowEnd,
          begin,
          panelBegin,
          panelEnd,
          tile,
        );
      const height = rowEnd - rowBegin;
      const count = height * (panelEnd - panelBegin) * PANEL;
      const expected = Float32Array.from(sums.subarray(0, count), (sum, index) => {
        const row = rowBegin + (Math.floor(index / PANEL) % height);
        const column = (panelBegin + Math.floor(index / PANEL / height)) * PANEL + (index % PANEL);
        return f(f(sum) * f(scale.data[row]! * weightScale.data[column]!));
      });
      assertSameBits(new Float32Array(c.partial.data.slice(0, count).buffer), expected, `${k}, ${height} rows`);
    }
  }
});

forEachForm("reads nothing beyond the panels, nor beyond the last four of a", (lab, tile, form) => {
  for (const k of [1, 6, LEVEL_BLOCK + 2]) {
    lab.reset();
    const c = prepare(lab, form, 7, 24, k);
    check(lab, { ...c, panels: lab.atEnd(Int8Array, c.panels.data.slice()) }, tile);
    lab.reset();
    const d = prepare(lab, form, 7, 24, k);
    const end = levelIndex(7, 6, roundUp(k, 4) - 1) + 1;
    check(lab, { ...d, a: lab.atEnd(Int16Array, d.a.data.slice(0, end)) }, tile);
  }
});

test.run();
