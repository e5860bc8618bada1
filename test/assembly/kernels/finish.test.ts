import { suite } from "uvu";
import { blockElements, EPILOGUE, type Epilogue, PANEL, partialBytes, roundUp } from "#dist/wasm/abi.js";
import { blockIndex } from "../../reference/column-block.js";
import { finish } from "../../reference/finish.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { type Buffer, forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("finish");

interface Case {
  rows: number;
  columns: number;
  rowBegin: number;
  rowEnd: number;
  panelBegin: number;
  panelEnd: number;
  out: Buffer<Float32Array>;
  sums: Float32Array;
  bias: Buffer<Float32Array>;
  /** Rows of their own length, one after another. */
  residual: Buffer<Float32Array>;
}

function prepare(lab: Lab, rows: number, columns: number, range: Partial<Case> = {}): Case {
  const panels = Math.ceil(columns / PANEL);
  const c = { rowBegin: 0, rowEnd: rows, panelBegin: 0, panelEnd: panels, ...range };
  const seed = rows * 1009 + columns;
  const partial = partialBytes(c.rowEnd - c.rowBegin, c.panelEnd - c.panelBegin) / 4;
  return {
    ...c,
    rows,
    columns,
    out: lab.from(Float32Array, randomF32(blockElements(rows, columns), seed + 1)),
    sums: randomF32(partial, seed + 2, 3),
    bias: lab.from(Float32Array, randomF32(roundUp(columns, PANEL), seed + 3).fill(Number.NaN, columns)),
    residual: lab.atEnd(Float32Array, randomF32(rows * columns, seed + 4)),
  };
}

function run(lab: Lab, c: Case, epilogue: Epilogue, inPlace = false): void {
  const partial = lab.scratch(c.sums.byteLength);
  partial.data.set(c.sums);
  lab.kernels.finish(
    c.out.pointer,
    partial.pointer,
    c.bias.pointer,
    inPlace ? c.out.pointer : c.residual.pointer,
    c.rows,
    c.columns,
    inPlace ? 256 : c.columns,
    inPlace ? c.rows * 256 : 256,
    epilogue,
    c.rowBegin,
    c.rowEnd,
    c.panelBegin,
    c.panelEnd,
  );
}

function check(lab: Lab, c: Case, epilogue: Exclude<Epilogue, typeof EPILOGUE.gelu>, inPlace = false): void {
  const expected = c.out.data.slice();
  const residual = inPlace ? c.out.data.slice() : c.residual.data;
  const [row, block] = inPlace ? [256, c.rows * 256] : [c.columns, 256];
  const { rows, columns, rowBegin, rowEnd, panelBegin, panelEnd } = c;
  finish(
    expected,
    c.sums,
    c.bias.data,
    residual,
    rows,
    columns,
    row,
    block,
    epilogue,
    rowBegin,
    rowEnd,
    panelBegin,
    panelEnd,
  );
  run(lab, c, epilogue, inPlace);
  assertSameBits(c.out.data, expected, `${rows} x ${columns}, epilogue ${epilogue}`);
}

const COLUMNS = [1, 3, 4, 5, 7, 8, 9, 16, 23, 255, 256, 257, 300, 520];

forEachVariant(test, "bias alone and with a residual, every tail of columns, nothing else touched", (lab) => {
  for (const rows of [1, 2, 3, 7]) {
    for (const columns of COLUMNS) {
      for (const epilogue of [EPILOGUE.none, EPILOGUE.residual]) {
        lab.reset();
        check(lab, prepare(lab, rows, columns), epilogue);
      }
      lab.reset();
      check(lab, prepare(lab, rows, columns), EPILOGUE.residual, true);
    }
  }
});

forEachVariant(test, "gelu: the gelu kernel on sum and bias", (lab) => {
  for (const rows of [1, 2, 5]) {
    for (const columns of COLUMNS) {
      lab.reset();
      const c = prepare(lab, rows, columns);
      const before = c.out.data.slice();
      const expected = before.slice();
      const plain = lab.from(Float32Array, c.sums);
      for (let panel = 0; panel < c.panelEnd; panel++) {
        const bias = lab.from(Float32Array, c.bias.data.subarray(panel * PANEL, (panel + 1) * PANEL));
        const [begin, end] = [panel * rows * PANEL, (panel + 1) * rows * PANEL];
        lab.kernels.gelu(plain.pointer, plain.pointer, bias.pointer, begin, end);
        for (let r = 0; r < rows; r++) {
          for (let n = panel * PANEL; n < Math.min(columns, (panel + 1) * PANEL); n++) {
            expected[blockIndex(rows, r, n)] = plain.data[begin + r * PANEL + (n % PANEL)]!;
          }
        }
      }
      run(lab, c, EPILOGUE.gelu);
      assertSameBits(c.out.data, expected, `${rows} x ${columns}`);

      // One row and one panel alone: the same bytes, and no others.
      const [r, panel] = [rows - 1, c.panelEnd - 1];
      c.out.data.set(before);
      const at = (panel * rows + r) * PANEL;
      const sums = c.sums.slice(at, at + PANEL);
      run(lab, { ...c, sums, rowBegin: r, rowEnd: rows, panelBegin: panel }, EPILOGUE.gelu);
      for (let n = panel * PANEL; n < columns; n++) before[blockIndex(rows, r, n)] = expected[blockIndex(rows, r, n)]!;
      assertSameBits(c.out.data, before, `row ${r}, panel ${panel} of ${rows} x ${columns}`);
    }
  }
});

forEachVariant(test, "ranges of rows and panels touch their part only", (lab) => {
  for (const [rowBegin, rowEnd] of [
    [0, 1],
    [3, 9],
    [9, 9],
    [4, 11],
  ] as const) {
    for (const [panelBegin, panelEnd] of [
      [0, 1],
      [30, 34],
      [5, 5],
      [36, 38],
    ] as const) {
      const range = { rowBegin, rowEnd, panelBegin, panelEnd };
      for (const epilogue of [EPILOGUE.none, EPILOGUE.residual]) {
        lab.reset();
        check(lab, prepare(lab, 11, 300, range), epilogue);
      }
      lab.reset();
      check(lab, prepare(lab, 11, 300, range), EPILOGUE.residual, true);
    }
  }
});

test.run();
