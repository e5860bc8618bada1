import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blocked, unblocked } from "../../reference/column-block.js";
import { layernorm } from "../../reference/layernorm.js";
import { assertSameBits, assertWithin, randomF32, U } from "../../support/elements.js";
import { type Buffer, forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("layernorm");

const EPS = 1e-6;

interface Case {
  /** In column blocks. */
  src: Buffer<Float32Array>;
  /** The same, row after row. */
  plain: Float32Array;
  gamma: Buffer<Float32Array>;
  beta: Buffer<Float32Array>;
  width: number;
  rows: number;
}

function prepare(lab: Lab, rows: number, width: number, scale: number, mean: number): Case {
  const plain = randomF32(rows * width, width + rows, scale).map((x) => x + mean);
  const blocks = blocked(plain, rows, width);
  // Up to the last element of the last row: what is beyond it in the last block is not there to be read.
  const end = blocks.length - (Math.ceil(width / 256) * 256 - width);
  return {
    src: lab.atEnd(Float32Array, blocks.subarray(0, end)),
    plain,
    gamma: lab.from(Float32Array, randomF32(width, 2, 2)),
    beta: lab.from(Float32Array, randomF32(width, 3)),
    width,
    rows,
  };
}

function run(lab: Lab, c: Case, dst: Buffer<Float32Array>, rowBegin = 0, rowEnd = c.rows): void {
  const { src, gamma, beta, rows, width } = c;
  lab.kernels.layernorm(dst.pointer, src.pointer, gamma.pointer, beta.pointer, rows, width, EPS, rowBegin, rowEnd);
}

/**
 * The contract's bound. With n = width/16 + 10 roundings a sum: the mean is off by m <= n u max|x|, the variance relatively by n u and by
 * (m / deviation)², its root by half of that; then the difference, the product with rstd, with gamma and the sum round once each.
 */
function bound(c: Case, exact: Float64Array): (index: number) => number {
  const n = c.width / 16 + 10;
  return (index) => {
    const row = Math.floor(index / c.width);
    const xs = c.plain.subarray(row * c.width, (row + 1) * c.width);
    const mean = xs.reduce((total, x) => total + x / c.width, 0);
    const variance = xs.reduce((total, x) => total + (x - mean) ** 2 / c.width, 0) + EPS;
    const meanError = n * U * xs.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    const [gamma, beta] = [c.gamma.data[index % c.width]!, c.beta.data[index % c.width]!];
    const normal = Math.abs(exact[index]! - beta);
    const relative = (n * U + meanError ** 2 / variance) / 2 + 6 * U;
    return (Math.abs(gamma) * meanError) / Math.sqrt(variance) + normal * relative + 2 * U * Math.abs(exact[index]!);
  };
}

const WIDTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 31, 32, 33, 100, 255, 256, 257, 300, 1024];

forEachVariant(test, "every width, against double precision, nothing beyond it written", (lab) => {
  for (const width of WIDTHS) {
    for (const [scale, mean] of [
      [1, 0],
      [1, 50],
      [1e-3, 0],
      [1e4, -1e4],
    ] as const) {
      lab.reset();
      const c = prepare(lab, 3, width, scale, mean);
      const before = blocked([], 3, width).fill(-3);
      const dst = lab.from(Float32Array, before);
      const exact = new Float64Array(3 * width);
      layernorm(exact, c.plain, c.gamma.data, c.beta.data, width, EPS, 0, 3);
      run(lab, c, dst);
      const actual = unblocked(dst.data, 3, width);
      assertWithin(actual, exact, bound(c, exact), `width ${width}, scale ${scale}, mean ${mean}`);
      const expected = blocked(actual, 3, width).map((x) => (Number.isNaN(x) ? -3 : x));
      assertSameBits(dst.data, expected, `width ${width}, beside the rows`);
    }
  }
});

forEachVariant(test, "reads nothing beyond scale and shift", (lab) => {
  for (const width of [1, 3, 7, 10, 257]) {
    for (const which of ["gamma", "beta"] as const) {
      lab.reset();
      const plain = randomF32(2 * width, width);
      const c: Case = {
        src: lab.from(Float32Array, blocked(plain, 2, width)),
        plain,
        gamma: lab.from(Float32Array, randomF32(width, 2, 2)),
        beta: lab.from(Float32Array, randomF32(width, 3)),
        width,
        rows: 2,
      };
      const dst = lab.from(Float32Array, blocked([], 2, width).fill(0));
      const exact = new Float64Array(2 * width);
      layernorm(exact, plain, c.gamma.data, c.beta.data, width, EPS, 0, 2);
      run(lab, { ...c, [which]: lab.atEnd(Float32Array, c[which].data) }, dst);
      assertWithin(unblocked(dst.data, 2, width), exact, bound(c, exact), `width ${width}, ${which}`);
    }
  }
});

forEachVariant(test, "any split of the rows gives the same bytes; other rows untouched", (lab) => {
  for (const width of [37, 300]) {
    lab.reset();
    const c = prepare(lab, 9, width, 1, 0.3);
    const whole = lab.from(Float32Array, blocked([], 9, width).fill(0));
    run(lab, c, whole);
    const rows = unblocked(whole.data, 9, width);
    for (const [rowBegin, rowEnd] of [
      [0, 0],
      [0, 1],
      [3, 7],
      [8, 9],
    ] as const) {
      const before = randomF32(9 * width, 8);
      const dst = lab.from(
        Float32Array,
        blocked(before, 9, width).map((x) => (Number.isNaN(x) ? 5 : x)),
      );
      run(lab, c, dst, rowBegin, rowEnd);
      before.set(rows.subarray(rowBegin * width, rowEnd * width), rowBegin * width);
      assertSameBits(
        unblocked(dst.data, 9, width),
        before as Float32Array<ArrayBuffer>,
        `rows ${rowBegin} to ${rowEnd}`,
      );
    }
  }
});

forEachVariant(test, "in place", (lab) => {
  for (const width of [5, 16, 23, 260]) {
    lab.reset();
    const c = prepare(lab, 4, width, 1, 0);
    const dst = lab.from(Float32Array, blocked([], 4, width).fill(0));
    run(lab, c, dst);
    run(lab, c, c.src);
    assertSameBits(unblocked(c.src.data, 4, width), unblocked(dst.data, 4, width), `width ${width}`);
  }
});

forEachVariant(test, "a constant row is beta; a NaN stays in its row", (lab) => {
  const c = prepare(lab, 3, 21, 1, 0);
  c.src.data.fill(0.5, 0, 21);
  c.src.data[256 + 9] = Number.NaN;
  const dst = lab.from(Float32Array, blocked([], 3, 21).fill(0));
  run(lab, c, dst);
  const rows = unblocked(dst.data, 3, 21);
  // twenty-one halves and their quotient are exact
  assertSameBits(rows.slice(0, 21), Float32Array.from(c.beta.data), "constant row");
  assert.ok(rows.slice(21, 42).every(Number.isNaN));
  assert.ok(rows.slice(42).every(Number.isFinite));
});

test.run();
