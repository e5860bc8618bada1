import { suite } from "uvu";
import * as assert from "uvu/assert";
import { elements, shapeText } from "#dist/tensor.js";

const test = suite("tensor");

test("elements of a shape", () => {
  for (const [dims, count] of [
    [[], 1],
    [[5], 5],
    [[2, 3, 4], 24],
    [[2, 0, 4], 0],
    [[2 ** 40, 0, 2 ** 40], 0],
    [[2 ** 52], 2 ** 52],
  ] as const) {
    assert.is(elements(dims), count);
  }
});

test("no number of elements equals that of a shape that is none", () => {
  for (const dims of [[-1], [-2, -3], [0.5, 2], [Number.NaN], [Number.POSITIVE_INFINITY, 0], [2 ** 30, 2 ** 30]]) {
    assert.ok(Number.isNaN(elements(dims)), shapeText(dims));
  }
});

test("a shape as text", () => {
  assert.equal([shapeText([]), shapeText([2, 3])], ["[]", "[2, 3]"]);
});

test.run();
