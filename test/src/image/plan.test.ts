import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planPictures } from "#dist/image/plan.js";
import { ARENA_BASE } from "#dist/wasm/abi.js";
import { ALIGNMENT } from "#dist/wasm/memory.js";

const test = suite("image/plan");

test("a square and what follows it, beyond the page of the binary, aligned, and nothing else", () => {
  for (const size of [14, 99, 384]) {
    const { activations, free } = planPictures(size);
    assert.is(activations.square, ARENA_BASE);
    assert.ok(free >= activations.square + 3 * size * size);
    assert.ok(free < activations.square + 3 * size * size + ALIGNMENT);
    assert.is(free % ALIGNMENT, 0);
  }
});

test.run();
