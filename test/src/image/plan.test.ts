import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planPictures } from "#dist/image/plan.js";
import { ARENA_BASE } from "#dist/wasm/abi.js";
import { ALIGNMENT } from "#dist/wasm/memory.js";

const test = suite("image/plan");

test("pixel_values and what follows them, beyond the page of the binary, aligned, and nothing else", () => {
  for (const size of [14, 99, 384]) {
    const { activations, free } = planPictures(size);
    assert.is(activations.pixels, ARENA_BASE);
    assert.ok(free >= activations.pixels + 3 * size * size * 4);
    assert.ok(free < activations.pixels + 3 * size * size * 4 + ALIGNMENT);
    assert.is(free % ALIGNMENT, 0);
  }
});

test.run();
