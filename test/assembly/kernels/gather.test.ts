import { suite } from "uvu";
import { STORAGE } from "#dist/wasm/abi.js";
import { gather } from "../../reference/gather.js";
import { assertSameBits, randomIntegers } from "../../support/elements.js";
import { forEachVariant } from "../../support/kernels.js";

const test = suite("gather");

const ROWS = 7;
const INDEX = [4, 0, 6, 4, 4, 1, 6, 3, 5];

forEachVariant(test, "any width and storage, repeated rows, whole and in parts", (lab) => {
  for (const storage of Object.values(STORAGE)) {
    const [type, limit] = storage === STORAGE.f32 ? [Uint32Array, 2 ** 32] : [Uint16Array, 2 ** 16];
    for (let width = 1; width <= 17; width++) {
      lab.reset();
      const table = lab.atEnd(type, randomIntegers(ROWS * width, width, limit));
      const index = lab.from(Int32Array, INDEX);
      for (const [rowBegin, rowEnd] of [
        [0, 9],
        [0, 0],
        [0, 1],
        [1, 6],
        [6, 9],
      ] as const) {
        const dst = lab.from(Uint32Array, randomIntegers(INDEX.length * width, 5, 2 ** 32));
        const expected = dst.data.slice();
        gather(expected, table.data, index.data, width, storage, rowBegin, rowEnd);
        lab.kernels.gather(dst.pointer, table.pointer, index.pointer, width, storage, rowBegin, rowEnd);
        assertSameBits(dst.data, expected, `storage ${storage}, width ${width}, rows ${rowBegin} to ${rowEnd}`);
      }
    }
  }
});

test.run();
