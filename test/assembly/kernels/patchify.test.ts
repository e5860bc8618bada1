import { suite } from "uvu";
import { blockElements } from "#dist/wasm/abi.js";
import { patchify } from "../../reference/patchify.js";
import { assertSameBits, randomF32 } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("patchify");

forEachVariant(test, "any patch and grid, whole and by tokens", (lab) => {
  for (const patch of [1, 2, 3, 4, 5, 7, 8, 14, 16, 100, 256]) {
    for (const grid of patch > 16 ? [1, 2] : [1, 2, 3]) {
      const size = patch * grid;
      const tokens = grid * grid;
      for (const [tokenBegin, tokenEnd] of [
        [0, tokens],
        [0, 0],
        [tokens - 1, tokens],
        [0, tokens - 1],
      ] as const) {
        lab.reset();
        const pixels = lab.atEnd(Float32Array, randomF32(3 * size * size, size));
        const dst = lab.from(Float32Array, randomF32(blockElements(tokens, 3 * patch * patch), 7));
        const expected = dst.data.slice();
        patchify(expected, pixels.data, size, patch, tokenBegin, tokenEnd);
        lab.kernels.patchify(dst.pointer, pixels.pointer, size, patch, tokenBegin, tokenEnd);
        assertSameBits(dst.data, expected, `patch ${patch}, grid ${grid}, tokens ${tokenBegin} to ${tokenEnd}`);
      }
    }
  }
});

test.run();
