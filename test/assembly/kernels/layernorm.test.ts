import { suite } from "uvu";
import * as assert from "uvu/assert";
import { layernorm } from "../../reference/layernorm.js";
import { assertSameBits, assertWithin, randomF32, U } from "../../support/elements.js";
import { type Buffer, forEachVariant, type Lab } from "../../support/kernels.js";

const test = suite("layernorm");

const EPS = 1e-6;

interface Case {
  src: Buffer<Float32Array>;
  gamma: Buffer<Float32Array>;
  beta: Buffer<Float32Array>;
  width: number;
  rows: number;
}

function prepare(lab: Lab, rows: number, width: number, scale: number, mean: number): Case {
  return {
    src: lab.atEnd(
      Float32Array,
      randomF32(rows * width, width + rows, scale).map((x) => x + mean),
    ),
    gamma: lab.from(Float32Array, randomF32(width, 2, 2)),
    beta: lab.from(Float32Array, randomF32(width, 3)),
    width,
    rows,
  };
}

function run(lab: Lab, c: Case, dst: Buffer<Float32Array>, rowBegin = 0, rowEnd = c.rows): void {
  const { kernels } = lab;
  kernels.layernorm(dst.pointer, c.src.pointer, c.gamma.pointer, c.beta.pointer, c.width, EPS, rowBegin, rowEnd);
}

/**
 * The contract's bound. With n = width/16 + 10 roundings a sum: the mean is off by m <= n u max|x|, the variance relatively by n u and by
 * (m / deviation)², its root by half of that; then the difference, the product with rstd, with gamma and the sum round once each.
 */
function bound(c: Case, exact: Float64Array): (index: number) => number {
  const n = c.width / 16 + 10;
  return (index) => {
    const row = Math.floor(index / c.width);
    const xs = c.src.data.subarray(row * c.width, (row + 1) * c.width);
    const mean = xs.reduce((total, x) => total + x / c.width, 0);
    const variance = xs.reduce((total, x) => total + (x - mean) ** 2 / c.width, 0) + EPS;
    const meanError = n * U * xs.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    const [gamma, beta] = [c.gamma.data[index % c.width]!, c.beta.data[index % c.width]!];
    const normal = Math.abs(exact[index]! - beta);
    const relative = (n * U + meanError ** 2 / variance) / 2 + 6 * U;
    return (Math.abs(gamma) * meanError) / Math.sqrt(variance) + normal * relative + 2 * U * Math.abs(exact[index]!);
  };
}

forEachVariant(test, "every width, against double precision", (lab) => {
  for (const width of [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 31, 32, 33, 100, 1024]) {
    for (const [scale, mean] of [
      [1, 0],
      [1, 50],
      [1e-3, 0],
      [1e4, -1e4],
    ] as const) {
      lab.reset();
      const c = prepare(lab, 3, width, scale, mean);
      const dst = lab.buffer(Float32Array, 3 * width);
      const exact = new Float64Array(3 * width);
      layernorm(exact, c.src.data, c.gamma.data, c.beta.data, width, EPS, 0, 3);
      run(lab, c, dst);
      assertWithin(dst.data, exact, bound(c, exact), `width ${width}, scale ${scale}, mean ${mean}`);
    }
  }
});

forEachVariant(test, "any split of the rows gives the same bytes; other rows untouched", (lab) => {
  const c = prepare(lab, 9, 37, 1, 0.3);
  const whole = lab.buffer(Float32Array, 9 * 37);
  run(lab, c, whole);
  for (const [rowBegin, rowEnd] of [
    [0, 0],
    [0, 1],
    [3, 7],
    [8, 9],
  ] as const) {
    const dst = lab.from(Float32Array, randomF32(9 * 37, 8));
    const expected = dst.data.slice();
    expected.set(whole.data.subarray(rowBegin * 37, rowEnd * 37), rowBegin * 37);
    run(lab, c, dst, rowBegin, rowEnd);
    assertSameBits(dst.data, expected, `rows ${rowBegin} to ${rowEnd}`);
  }
});

forEachVariant(test, "in place", (lab) => {
  for (const width of [5, 16, 23]) {
    lab.reset();
    const c = prepare(lab, 4, width, 1, 0);
    const dst = lab.buffer(Float32Array, 4 * width);
    run(lab, c, dst);
    run(lab, c, c.src);
    assertSameBits(c.src.data, dst.data, `width ${width}`);
  }
});

forEachVariant(test, "a constant row is beta; a NaN stays in its row", (lab) => {
  const c = prepare(lab, 3, 21, 1, 0);
  c.src.data.fill(0.5, 0, 21);
  c.src.data[30] = Number.NaN;
  const dst = lab.buffer(Float32Array, 63);
  run(lab, c, dst);
  // twenty-one halves and their quotient are exact
  assertSameBits(dst.data.slice(0, 21), c.beta.data.slice(), "constant row");
  assert.ok(dst.data.slice(21, 42).every(Number.isNaN));
  assert.ok(dst.data.slice(42).every(Number.isFinite));
});

test.run();
