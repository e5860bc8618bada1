import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LEVELS, levelElements, NULL, roundUp } from "#dist/wasm/abi.js";
import { blocked } from "../../reference/column-block.js";
import { byteIndex, crossTerm, levelIndex, quantiseRow } from "../../reference/int8.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("quantise");

const UNTOUCHED = 12345;

/** Quantises rows [begin, end) of a matrix and holds all of dst and scale to the reference. */
function check(lab: Lab, plain: Float32Array, rows: number, width: number, begin = 0, end = rows): void {
  const src = lab.from(Float32Array, blocked(plain, rows, width));
  const dst = lab.from(Int16Array, new Int16Array(levelElements(rows, width)).fill(UNTOUCHED));
  const scale = lab.from(Float32Array, new Float32Array(rows).fill(-1));
  lab.kernels.quantise(dst.pointer, src.pointer, scale.pointer, NULL, LEVELS.wide, rows, width, begin, end);
  const levels = new Int16Array(dst.data.length).fill(UNTOUCHED);
  const scales = new Float32Array(rows).fill(-1);
  for (let r = begin; r < end; r++) {
    const row = quantiseRow(plain.subarray(r * width, (r + 1) * width));
    scales[r] = row.scale;
    // What completes the last four is zero, and may be anything.
    for (let c = width; c < roundUp(width, 4); c++) levels[levelIndex(rows, r, c)] = dst.data[levelIndex(rows, r, c)]!;
    row.levels.forEach((level, c) => {
      levels[levelIndex(rows, r, c)] = level;
    });
  }
  assertSameBits(scale.data, scales, `scales of ${rows} x ${width}`);
  assertSameBits(dst.data, levels, `levels of ${rows} x ${width}`);
}

forEachVariant(test, "ragged widths, of either sign and of both", (lab) => {
  for (const width of [1, 2, 3, 4, 5, 8, 13, 255, 256, 257, 512, 1030]) {
    for (const shift of [-2, 0, 2]) {
      lab.reset();
      check(
        lab,
        randomF32(5 * width, width, 1).map((x) => x + shift),
        5,
        width,
      );
    }
  }
});

forEachVariant(test, "rows in range only", (lab) => {
  for (const [begin, end] of [
    [0, 3],
    [3, 7],
    [2, 2],
  ] as const) {
    lab.reset();
    check(lab, randomF32(7 * 300, 3), 7, 300, begin, end);
  }
});

forEachVariant(test, "ties go to even, zero is a level, and both ends are met", (lab) => {
  check(lab, Float32Array.from([0, 0.5, 1.5, 2.5, 254.5, 255, 3.5, 1]), 1, 8);
  check(lab, Float32Array.from([-255, -0.5, -1.5, 0, -254.5, -2.5, -3.5, -1]), 1, 8);
  check(lab, Float32Array.from([-127.6, 127.4, 0, 0.49, 0.51, 1, -1, 2]), 1, 8);
});

forEachVariant(test, "zeros, a constant, subnormals and large numbers", (lab) => {
  for (const value of [0, 1, -1, 2 ** -140, 2 ** -99, 1e30, -1e30]) check(lab, new Float32Array(12).fill(value), 2, 6);
});

forEachVariant(test, "within half a step of the row, and a step where the zero point was rounded", (lab) => {
  const [rows, width] = [16, 1024];
  const plain = randomF32(rows * width, 9, 3);
  const src = lab.from(Float32Array, blocked(plain, rows, width));
  const dst = lab.buffer(Int16Array, levelElements(rows, width));
  const scale = lab.buffer(Float32Array, rows);
  lab.kernels.quantise(dst.pointer, src.pointer, scale.pointer, NULL, LEVELS.wide, rows, width, 0, rows);
  for (let r = 0; r < rows; r++) {
    const seen = new Set<number>();
    for (let c = 0; c < width; c++) {
      const level = dst.data[levelIndex(rows, r, c)]!;
      seen.add(level);
      const error = Math.abs(plain[r * width + c]! - level * scale.data[r]!);
      assert.ok(error <= 1.0001 * scale.data[r]!, `${r}, ${c}: ${error / scale.data[r]!} steps`);
    }
    assert.is(Math.max(...seen) - Math.min(...seen) <= 255, true);
  }
});

for (const [name, form, lowest] of [
  ["unsigned", LEVELS.unsigned, 0],
  ["signed", LEVELS.signed, -128],
] as const) {
  forEachVariant(test, `${name} bytes: the same levels, and the zero point`, (lab) => {
    for (const width of [1, 3, 4, 7, 8, 13, 256, 261, 1024, 1030]) {
      for (const shift of [-2, 0, 2]) {
        lab.reset();
        const rows = 5;
        const plain = randomF32(rows * width, width, 1).map((x) => x + shift);
        const src = lab.from(Float32Array, blocked(plain, rows, width));
        const bytes = rows * roundUp(width, 1024);
        const dst = lab.from(Uint8Array, new Uint8Array(bytes).fill(77));
        const scale = lab.from(Float32Array, new Float32Array(rows).fill(-1));
        const zero = lab.from(Int32Array, new Int32Array(rows).fill(-999));
        lab.kernels.quantise(dst.pointer, src.pointer, scale.pointer, zero.pointer, form, rows, width, 1, 4);
        const expected = new Uint8Array(bytes).fill(77);
        const [scales, zeros] = [new Float32Array(rows).fill(-1), new Int32Array(rows).fill(-999)];
        for (let r = 1; r < 4; r++) {
          const row = quantiseRow(plain.subarray(r * width, (r + 1) * width));
          scales[r] = row.scale;
          zeros[r] = row.zero + lowest;
          for (let c = width; c < roundUp(width, 4); c++)
            expected[byteIndex(rows, r, c)] = dst.data[byteIndex(rows, r, c)]!;
          row.levels.forEach((level, c) => {
            expected[byteIndex(rows, r, c)] = level + row.zero + lowest;
          });
        }
        assertSameBits(scale.data, scales, `scales, width ${width}`);
        assertSameBits(zero.data, zeros, `zeros, width ${width}`);
        assertSameBits(dst.data, expected, `bytes, width ${width}`);
      }
    }
  });
}

forEachVariant(
  test,
  "crossed: plain wide levels, zeros up to the last four, and the sum of their crossed products",
  (lab) => {
    for (const width of [1, 2, 3, 4, 5, 8, 11, 13, 255, 512, 517, 1030]) {
      for (const shift of [-2, 0, 2]) {
        lab.reset();
        const rows = 5;
        const plain = randomF32(rows * width, width, 1).map((x) => x + shift);
        const src = lab.from(Float32Array, blocked(plain, rows, width));
        const dst = lab.from(Int16Array, new Int16Array(levelElements(rows, width)).fill(UNTOUCHED));
        const scale = lab.from(Float32Array, new Float32Array(rows).fill(-1));
        const zero = lab.from(Int32Array, new Int32Array(rows).fill(-999));
        lab.kernels.quantise(dst.pointer, src.pointer, scale.pointer, zero.pointer, LEVELS.crossed, rows, width, 1, 4);
        const levels = new Int16Array(dst.data.length).fill(UNTOUCHED);
        const [scales, zeros] = [new Float32Array(rows).fill(-1), new Int32Array(rows).fill(-999)];
        for (let r = 1; r < 4; r++) {
          const row = quantiseRow(plain.subarray(r * width, (r + 1) * width));
          scales[r] = row.scale;
          zeros[r] = crossTerm(row.levels);
          for (let c = 0; c < roundUp(width, 4); c++) levels[levelIndex(rows, r, c)] = row.levels[c] ?? 0;
        }
        assertSameBits(scale.data, scales, `scales, width ${width}`);
        assertSameBits(zero.data, zeros, `crossed, width ${width}`);
        assertSameBits(dst.data, levels, `levels, width ${width}`);
      }
    }
  },
);

forEachVariant(test, "reads nothing beyond a ragged row", (lab) => {
  const src = lab.atEnd(Float32Array, randomF32(7, 1));
  const dst = lab.buffer(Int16Array, 256);
  const scale = lab.buffer(Float32Array, 1);
  lab.kernels.quantise(dst.pointer, src.pointer, scale.pointer, NULL, LEVELS.wide, 1, 7, 0, 1);
  assert.equal([...dst.data.slice(0, 7)], quantiseRow(src.data).levels);
});

test.run();
