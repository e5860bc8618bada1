import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkFinite, checkFloats, splitFloats, stackFloats, zeroFloats } from "#dist/entry/floats.js";
import type { Tensor } from "#dist/tensor.js";
import { random } from "../../support/numbers.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("entry/floats");

test("what no array can hold is E_OOM, with the dims", () => {
  assert.equal(zeroFloats([2, 2]), new Float32Array(4));
  for (const dims of [
    [2 ** 20, 2 ** 20, 2],
    [2 ** 40, 2 ** 40],
  ]) {
    refusedNow(() => zeroFloats(dims), "E_OOM", new RegExp(`\\[${dims.join(", ")}\\] float32.*fewer or shorter`));
  }
});

test("parts are stacked in order, and split again", () => {
  const parts = [Float32Array.from([1, 2]), Float32Array.from([3, 4]), Float32Array.from([5, 6])];
  const stacked = stackFloats(parts, [3, 2]);
  assert.equal(stacked, { type: "float32", dims: [3, 2], data: Float32Array.from([1, 2, 3, 4, 5, 6]) });
  assert.equal([...splitFloats(stacked.data, 2)], parts);
  assert.equal([...splitFloats(new Float32Array(0), 2)], []);
});

test("shapes: a null matches any size, everything else must be as said", () => {
  const tensor = (dims: readonly number[], data = new Float32Array(6)): Tensor<"float32"> => ({
    type: "float32",
    dims,
    data,
  });
  assert.not.throws(() => checkFloats("run", "x", tensor([2, 3]), [null, 3]));
  assert.not.throws(() => checkFloats("run", "x", tensor([0, 3], new Float32Array(0)), [null, 3]));
  for (const [wrong, message] of [
    [tensor([3, 2]), /^run: x must be float32 \[\*, 3\], got float32 \[3, 2\]$/],
    [tensor([6]), /got float32 \[6\]$/],
    [tensor([2, 3], new Float32Array(7)), /got float32 data of 7 elements$/],
    [tensor([-2, 3]), /got float32 data of 6 elements$/],
    [{ ...tensor([2, 3]), type: "int64" }, /got int64 data of 6 elements$/],
    [undefined, /got undefined \[\]$/],
  ] as const) {
    refusedNow(() => checkFloats("run", "x", wrong as Tensor<"float32">, [null, 3]), "E_SHAPE", message);
  }
});

test("finite numbers: every one is looked at", () => {
  assert.not.throws(() => checkFinite("run", "x", Float32Array.from([0, -0, 3.4e38, 1e-45])));
  assert.not.throws(() => checkFinite("run", "x", new Float32Array(0)));
  for (const [bad, at] of [
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 7],
    [Number.NEGATIVE_INFINITY, 99],
  ] as const) {
    const data = random(100, 1);
    data[at] = bad;
    refusedNow(
      () => checkFinite("run", "x", data),
      "E_NUMERIC",
      new RegExp(`^run: x must be finite, got ${bad} at index ${at}$`),
    );
  }
});

test.run();
