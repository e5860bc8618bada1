/**
 * Levels that are bytes, by the fused 8-bit dot, on what the engine makes of it: all products with weights from -127 on where it is exact; where it saturates pairs in 16 bits (V8 on x64 without AVX-VNNI), unsigned levels with weights
 * of up to 64, which do not; nothing where it is not compiled in.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BYTE_BLOCK, int8PanelBytes, LEVELS, NULL, PANEL, partialBytes, roundUp, type Tile } from "#dist/wasm/abi.js";
import { DOT8 } from "#dist/wasm/probe.js";
import { byteIndex, int8Index } from "../../reference/int8.js";
import { assertSameBits, randomF32, randomIntegers } from "../../support/elements.js";
import { type Buffer, forEachTile, type Lab } from "../../support/kernels.js";

const test = suite("multiply-int8, bytes");

const f = Math.fround;

interface Case {
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  /** Levels less their zero points, and weights, row by row. */
  readonly levels: Int32Array;
  readonly weights: Int32Array;
  readonly partial: Buffer<Int32Array>;
  readonly a: Buffer<Uint8Array>;
  readonly panels: Buffer<Int8Array>;
  readonly scale: Buffer<Float32Array>;
  readonly zero: Buffer<Int32Array>;
  readonly weightScale: Buffer<Float32Array>;
  readonly weightSum: Buffer<Int32Array>;
}

interface Operands {
  readonly level?: (r: number, i: number) => number;
  readonly weight?: (n: number, i: number) => number;
}

/** Of these levels from 0 to 255 and weights; what the engine's dot does not take is held to what it does. */
function prepare(lab: Lab, rows: number, columns: number, k: number, { level, weight }: Operands = {}): Case {
  const kind = DOT8[lab.kernels.probeDot8()];
  const lowest = kind === "signed" ? -128 : 0;
  const [least, most] = kind === "inexact" ? [-64, 63] : [-127, 127];
  const padded = roundUp(columns, PANEL);
  const seed = rows * 10007 + columns * 101 + k;
  const stored = randomIntegers(rows * k, seed, 256);
  if (level) for (let r = 0; r < rows; r++) for (let i = 0; i < k; i++) stored[r * k + i] = level(r, i);
  const points = randomIntegers(rows, seed + 2, 256);
  const weights = Int32Array.from(randomIntegers(padded * k, seed + 1, most - least + 1), (x) => x + least);
  if (weight) {
    for (let n = 0; n < padded; n++)
      for (let i = 0; i < k; i++) weights[n * k + i] = Math.max(least, Math.min(most, weight(n, i)));
  }
  const a = new Uint8Array(rows * roundUp(k, BYTE_BLOCK)).fill(201);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < k; i++) a[byteIndex(rows, r, i)] = (stored[r * k + i]! + lowest) & 255;
  const panels = new Int8Array(int8PanelBytes(columns, k));
  const sums = new Int32Array(padded);
  for (let n = 0; n < padded; n++) {
    for (let i = 0; i < k; i++) {
      panels[int8Index(n, i, k)] = weights[n * k + i]!;
      sums[n] = sums[n]! + weights[n * k + i]!;
    }
  }
  return {
    rows,
    columns,
    k,
    levels: Int32Array.from(stored, (value, at) => value - points[Math.floor(at / k)]!),
    weights,
    partial: lab.from(Int32Array, new Int32Array(partialBytes(rows, padded / PANEL) / 4).fill(0x55555555)),
    a: lab.from(Uint8Array, a),
    panels: lab.from(Int8Array, panels),
    scale: lab.from(Float32Array, randomF32(rows, 1)),
    zero: lab.from(
      Int32Array,
      Int32Array.from(points, (point) => point + lowest),
    ),
    weightScale: lab.from(Float32Array, randomF32(padded, 2)),
    weightSum: lab.from(Int32Array, sums),
  };
}

interface Range {
  readonly rowBegin: number;
  readonly rowEnd: number;
  readonly panelBegin: number;
  readonly panelEnd: number;
}

const whole = ({ rows, columns }: Case): Range => ({
  rowBegin: 0,
  rowEnd: rows,
  panelBegin: 0,
  panelEnd: Math.ceil(columns / PANEL),
});

/** The integers of the range, or with scales the floats, and what lies behind them untouched. */
function check(lab: Lab, c: Case, tile: Tile, scaled: boolean, range = whole(c)): void {
  const { rowBegin, rowEnd, panelBegin, panelEnd } = range;
  const { partial, a, panels, scale, zero, weightScale, weightSum, levels, weights, k } = c;
  const expected = partial.data.slice();
  for (let begin = 0; begin < k; begin += BYTE_BLOCK)
    lab.kernels.multiplyInt8(
      partial.pointer,
      a.pointer,
      panels.pointer,
      NULL,
      scaled ? scale.pointer : NULL,
      zero.pointer,
      weightScale.pointer,
      weightSum.pointer,
      DOT8[lab.kernels.probeDot8()] === "signed" ? LEVELS.signed : LEVELS.unsigned,
      c.rows,
      k,
      rowBegin,
      rowEnd,
      begin,
      panelBegin,
      panelEnd,
      tile,
    );
  if (DOT8[lab.kernels.probeDot8()] !== "absent") {
    const floats = new Float32Array(expected.buffer);
    const height = rowEnd - rowBegin;
    for (let n = panelBegin * PANEL; n < panelEnd * PANEL; n++) {
      for (let r = rowBegin; r < rowEnd; r++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += levels[r * k + i]! * weights[n * k + i]!;
        const at = ((Math.floor(n / PANEL) - panelBegin) * height + (r - rowBegin)) * PANEL + (n % PANEL);
        if (scaled) floats[at] = f(f(sum) * f(scale.data[r]! * weightScale.data[n]!));
        else expected[at] = sum;
      }
    }
  }
  assertSameBits(partial.data, expected, `${c.rows} x ${c.columns} x ${k}`);
}

forEachTile(test, "every ragged shape", (lab, tile) => {
  for (let rows = 1; rows <= 13; rows += 2) {
    for (const columns of [1, 8, 9, 16, 17, 24]) {
      for (const k of [1, 3, 4, 5, 8, 9, 12]) {
        lab.reset();
        check(lab, prepare(lab, rows, columns, k), tile, k % 2 === 0);
      }
    }
  }
});

forEachTile(test, "k about a block, ranges of rows and panels", (lab, tile) => {
  for (const k of [BYTE_BLOCK - 1, BYTE_BLOCK, BYTE_BLOCK + 5]) {
    for (const scaled of [false, true]) {
      lab.reset();
      check(lab, prepare(lab, 7, 24, k), tile, scaled);
      lab.reset();
      check(lab, prepare(lab, 9, 40, k), tile, scaled, { rowBegin: 2, rowEnd: 8, panelBegin: 1, panelEnd: 4 });
    }
  }
  lab.reset();
  const c = prepare(lab, 7, 16, 30);
  check(lab, c, tile, true, { ...whole(c), rowBegin: 6, rowEnd: 6 });
  check(lab, c, tile, true, { ...whole(c), panelBegin: 1, panelEnd: 1 });
});

forEachTile(test, "all levels times all weights", (lab, tile) => {
  lab.reset();
  check(lab, prepare(lab, 256, 256, 4, { level: (r) => r, weight: (n) => n - 128 }), tile, false);
});

forEachTile(test, "extremes at k = 4096", (lab, tile) => {
  for (const level of [0, 255]) {
    for (const weight of [-128, 127]) {
      lab.reset();
      check(lab, prepare(lab, 7, 16, 4096, { level: () => level, weight: () => weight }), tile, false);
    }
  }
});

forEachTile(test, "reads nothing beyond the panels, nor beyond the last four of a", (lab, tile) => {
  for (const k of [1, 6, BYTE_BLOCK + 2]) {
    lab.reset();
    const c = prepare(lab, 7, 24, k);
    check(lab, { ...c, panels: lab.atEnd(Int8Array, c.panels.data.slice()) }, tile, true);
    lab.reset();
    const d = prepare(lab, 7, 24, k);
    const end = byteIndex(7, 6, roundUp(k, 4) - 1) + 1;
    check(lab, { ...d, a: lab.atEnd(Uint8Array, d.a.data.slice(0, end)) }, tile, true);
  }
});

test("the codes of the forms are those of the probe", () => {
  assert.equal([DOT8[LEVELS.unsigned], DOT8[LEVELS.signed]], ["unsigned", "signed"]);
});

test.run();
