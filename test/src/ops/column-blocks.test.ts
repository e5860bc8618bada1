import { suite } from "uvu";
import { fromBlocks, toBlocks } from "#dist/ops/column-blocks.js";
import { blockElements, type Pointer } from "#dist/wasm/abi.js";
import { blocked } from "../../reference/column-block.js";
import { assertSameBits, random } from "../../support/numbers.js";

const test = suite("ops/column-blocks");

const AT = 4096;

test("to column blocks and back, nothing beside the matrix touched", () => {
  for (const rows of [1, 3, 40]) {
    for (const columns of [1, 255, 256, 257, 600, 1024]) {
      const memory = new WebAssembly.Memory({ initial: 8 });
      const all = new Float32Array(memory.buffer).fill(Number.NaN);
      const plain = random(rows * columns, rows + columns);
      const blocks = { at: AT as Pointer, rows };
      toBlocks(memory, blocks, plain, columns);
      const expected = new Float32Array(all.length).fill(Number.NaN);
      expected.set(blocked(plain, rows, columns), AT / 4);
      assertSameBits(all, expected);
      assertSameBits(fromBlocks(memory, blocks, columns), plain);
      if (blockElements(rows, columns) !== blocked(plain, rows, columns).length) throw new Error("another size");
    }
  }
});

test.run();
