import { suite } from "uvu";
import { blockElements } from "#dist/wasm/abi.js";
import { patchifyRgb } from "../../reference/patchify-rgb.js";
import { assertSameBits, randomF32, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("patchifyRgb");

forEachVariant(test, "any patch and grid, whole and by tokens, each channel by its own table", (lab) => {
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
        const src = lab.atEnd(Uint8Array, randomIntegers(size * size * 3, size, 256));
        const lut = lab.from(Float32Array, randomF32(768, 4));
        const dst = lab.from(Float32Array, randomF32(blockElements(tokens, 3 * patch * patch), 7));
        const expected = dst.data.slice();
        patchifyRgb(expected, src.data, lut.data, size, patch, tokenBegin, tokenEnd);
        lab.kernels.patchifyRgb(dst.pointer, src.pointer, lut.pointer, size, patch, tokenBegin, tokenEnd);
        assertSameBits(dst.data, expected, `patch ${patch}, grid ${grid}, tokens ${tokenBegin} to ${tokenEnd}`);
      }
    }
  }
});

forEachVariant(
  test,
  "all 256 levels of all channels, whatever the table holds: the bytes of normalise and patchify",
  (lab) => {
    for (const [size, patch] of [
      [16, 16],
      [48, 16],
      [28, 14],
    ] as const) {
      lab.reset();
      const tokens = (size / patch) ** 2;
      const src = lab.from(
        Uint8Array,
        Array.from({ length: size * size * 3 }, (_, i) => (Math.floor(i / 3) + 85 * (i % 3)) % 256),
      );
      const lut = lab.from(Float32Array, randomF32(768, 6));
      lut.data.set([-0, Number.POSITIVE_INFINITY, 1e-45, Number.NaN]);
      const pixels = lab.buffer(Float32Array, 3 * size * size);
      const count = blockElements(tokens, 3 * patch * patch);
      const expected = lab.buffer(Float32Array, count);
      const dst = lab.buffer(Float32Array, count);
      lab.kernels.normalise(pixels.pointer, src.pointer, lut.pointer, size, 0, size);
      lab.kernels.patchify(expected.pointer, pixels.pointer, size, patch, 0, tokens);
      lab.kernels.patchifyRgb(dst.pointer, src.pointer, lut.pointer, size, patch, 0, tokens);
      assertSameBits(dst.data, expected.data, `size ${size}, patch ${patch}`);
    }
  },
);

test.run();
