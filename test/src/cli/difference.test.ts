import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DifferenceSum, difference, differenceText, FLOAT32_BOUNDS, isWithin } from "#dist/cli/difference.js";
import { directorySource } from "#dist/entry/node/directory.js";
import { readTensor } from "#dist/weights/read-tensor.js";
import { parseSafetensors } from "#dist/weights/safetensors.js";
import { golden } from "../../support/paths.js";

const test = suite("cli/difference");
const floats = (...values: number[]) => Float32Array.from(values);

/** The definition, as the reference's scripts state it: numpy's formulas over whole arrays. */
function slow(actual: Float32Array, expected: Float32Array, row: number) {
  const squares = (values: number[]) => values.reduce((sum, value) => sum + value * value, 0);
  const d = Array.from(expected, (e, i) => actual[i]! - e);
  const rms = Math.sqrt(squares([...expected]) / expected.length);
  const cosines: number[] = [];
  for (let start = 0; start < expected.length; start += row) {
    const a = [...actual.subarray(start, start + row)];
    const e = [...expected.subarray(start, start + row)];
    const norms = Math.sqrt(squares(a)) * Math.sqrt(squares(e));
    const bothZero = squares(a) === 0 && squares(e) === 0;
    cosines.push(bothZero ? 1 : a.reduce((sum, value, i) => sum + value * e[i]!, 0) / (norms === 0 ? 1 : norms));
  }
  return {
    maxAbs: Math.max(...d.map(Math.abs)),
    relative: Math.sqrt(squares(d) / d.length) / (rms > 0 ? rms : 1),
    oneMinusCosine: 1 - Math.min(...cosines),
  };
}

test("the three numbers are those of the definition, for any split into pieces", () => {
  const value = fc.oneof(fc.constant(0), fc.float({ min: -1000, max: 1000, noNaN: true }));
  const pairs = fc.record({
    row: fc.integer({ min: 1, max: 9 }),
    cells: fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 80 }),
    cut: fc.nat(80),
  });
  fc.assert(
    fc.property(pairs, ({ row, cells, cut }) => {
      const whole = cells.slice(0, Math.max(1, Math.floor(cells.length / row)) * row);
      if (whole.length % row !== 0) return;
      const actual = Float32Array.from(whole, ([a]) => a);
      const expected = Float32Array.from(whole, ([, e]) => e);
      const found = difference(actual, expected, row);
      const right = slow(actual, expected, row);
      assert.is(found.maxAbs, right.maxAbs);
      // Sums of at most 80 float64 terms: 80 * 2^-53 of rounding, and as much again in the cosine of the definition.
      assert.ok(Math.abs(found.relative - right.relative) <= 1e-13 * right.relative);
      assert.ok(Math.abs(found.oneMinusCosine - right.oneMinusCosine) <= 1e-13);
      const sum = new DifferenceSum(row);
      for (const [from, to] of [
        [0, cut],
        [cut, whole.length],
      ] as const) {
        sum.add(actual.subarray(from, to), expected.subarray(from, to));
      }
      const pieces = sum.result();
      assert.is(pieces.maxAbs, found.maxAbs);
      assert.is(pieces.worst, found.worst);
      assert.ok(Math.abs(pieces.oneMinusCosine - found.oneMinusCosine) <= 1e-13);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("a cosine near 1 keeps its digits, where 1 - dot / (|a| |e|) would have none", () => {
  const d = 2 ** -40;
  const orthogonal = difference(Float64Array.of(1, d), Float64Array.of(1, 0), 2);
  assert.ok(Math.abs(orthogonal.oneMinusCosine / (d * d * 0.5) - 1) < 1e-9);
  const longer = difference(Float64Array.of(3 + 3 * d, 4 + 4 * d), Float64Array.of(3, 4), 2);
  assert.ok(longer.oneMinusCosine < d * d * 1e-9);
  assert.is(difference(floats(-3, -4), floats(3, 4), 2).oneMinusCosine, 2);
});

test("zero rows: two agree, one is at a right angle, and the worst row counts", () => {
  assert.is(difference(floats(0, 0, 1, 1), floats(0, 0, 1, 1), 2).oneMinusCosine, 0);
  assert.is(difference(floats(0, 0, 1, 1), floats(0, 1, 1, 1), 2).oneMinusCosine, 1);
  assert.is(difference(floats(1, 0, 1, 1), floats(0, 0, 1, 1), 2).oneMinusCosine, 1);
});

test("an expected array of zeros gives the absolute difference", () => {
  const found = difference(floats(3, 4), floats(0, 0));
  assert.equal([found.maxAbs, found.rms, found.worst], [4, 0, 1]);
  assert.ok(Math.abs(found.relative - Math.sqrt(12.5)) < 1e-15);
  assert.not.ok(isWithin(found));
  assert.ok(isWithin(difference(floats(0, 0), floats(0, 0))));
});

test("a NaN or an infinity on either side, or on both, is a difference under any bounds", () => {
  const anything = { maxRelative: Number.POSITIVE_INFINITY, maxAbs: Number.POSITIVE_INFINITY, minCosine: -1 };
  assert.ok(isWithin(difference(floats(1, 2), floats(5, -7)), anything));
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const [a, e] of [
      [bad, 1],
      [1, bad],
      [bad, bad],
    ] as const) {
      const found = difference(floats(1, a, 2), floats(1, e, 2));
      assert.is(found.nonFinite, 1);
      assert.is(found.maxAbs, 0);
      assert.not.ok(isWithin(found, anything));
      assert.match(differenceText(found), /1 not finite/);
    }
  }
});

test("each bound counts by itself, and is kept at equality", () => {
  const loose = { maxRelative: 1, maxAbs: 1, minCosine: -1 };
  const found = difference(floats(1, 1.5, 1, 1), floats(1, 1, 1, 1), 2);
  assert.equal([found.maxAbs, found.relative, found.rms], [0.5, 0.25, 1]);
  assert.ok(isWithin(found, { ...loose, maxRelative: 0.25 }));
  assert.not.ok(isWithin(found, { ...loose, maxRelative: 0.2499 }));
  assert.ok(isWithin(found, { ...loose, maxAbs: 0.5 }));
  assert.not.ok(isWithin(found, { ...loose, maxAbs: 0.4999 }));
  assert.ok(isWithin(found, { ...loose, minCosine: 1 - found.oneMinusCosine - 1e-12 }));
  assert.not.ok(isWithin(found, { ...loose, minCosine: 1 - found.oneMinusCosine + 1e-12 }));
  assert.equal(FLOAT32_BOUNDS, { maxRelative: 1e-5, maxAbs: 3e-4, minCosine: 1 - 1e-9 });
});

test("the largest difference of an element is in units of the expected RMS", () => {
  const expected = new Float32Array(100).fill(10);
  const actual = expected.slice();
  actual[42] = 10.002;
  const found = difference(actual, expected, 10);
  assert.is(found.worst, 42);
  const loose = { maxRelative: 1, minCosine: -1 };
  assert.ok(isWithin(found, { ...loose, maxAbs: 2.01e-4 }));
  assert.not.ok(isWithin(found, { ...loose, maxAbs: 1.99e-4 }));
});

test("the recorded full-size runs: float32 from float64 as far as the reference's own scripts found", async () => {
  const source = directorySource(golden("full-size"));
  const { tensors } = await parseSafetensors(source, "expected.safetensors");
  const read = async (name: string) => {
    const { dims, data } = await readTensor(source, "expected.safetensors", tensors.get(name)!);
    return { row: dims.at(-1)!, data: data as Float32Array };
  };
  for (const picture of ["formula", "photo"]) {
    for (const stage of ["image_features", "image_embeds"]) {
      const expected = await read(`${picture}.${stage}.rows`);
      const actual = await read(`${picture}.${stage}.rows_f32_run`);
      const found = difference(actual.data, expected.data, expected.row);
      // What the recorded data allows for the full size; its own float32 run is at 5.8e-7 and 2.4e-13 in image_embeds.
      assert.ok(isWithin(found, { maxRelative: 4e-6, maxAbs: 3e-4, minCosine: 1 - 2e-12 }), differenceText(found));
      assert.ok(found.relative > 1e-7, differenceText(found));
    }
  }
  await source.close();
});

test("arrays of different lengths are a mistake of the caller", () => {
  assert.throws(() => difference(floats(1), floats(1, 2)), /expected 2 elements, got 1/);
  assert.equal(difference(floats(), floats()).maxAbs, 0);
});

test.run();
