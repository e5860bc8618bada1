import { suite } from "uvu";
import * as assert from "uvu/assert";
import { offset } from "#dist/ops/context.js";
import type { Pointer } from "#dist/wasm/abi.js";

const test = suite("ops/context");

test("an offset counts elements, of f32 unless another size is given", () => {
  assert.is(offset(64 as Pointer, 3), 76);
  assert.is(offset(64 as Pointer, 3, 1), 67);
  assert.is(offset(64 as Pointer, 0), 64);
});

test("it reaches the end of memory: addresses are not 32-bit integers here", () => {
  assert.is(offset((2 ** 31) as Pointer, 2 ** 28), 3 * 2 ** 30);
});

test.run();
