import { COLUMN_BLOCK } from "../wasm/abi.js";
import { f32 } from "../wasm/memory.js";
import type { Blocks } from "./context.js";

/** A matrix [rows, columns] in column blocks as an array of its own, one row after another. */
export function fromBlocks(
  memory: WebAssembly.Memory,
  { at, rows }: Blocks,
  columns: number,
): Float32Array<ArrayBuffer> {
  const plain = new Float32Array(rows * columns);
  const blocks = f32(memory, at, rows * COLUMN_BLOCK * Math.ceil(columns / COLUMN_BLOCK));
  for (let begin = 0; begin < columns; begin += COLUMN_BLOCK) {
    const count = Math.min(COLUMN_BLOCK, columns - begin);
    for (let row = 0; row < rows; row++) {
      const from = (begin / COLUMN_BLOCK) * rows * COLUMN_BLOCK + row * COLUMN_BLOCK;
      plain.set(blocks.subarray(from, from + count), row * columns + begin);
    }
  }
  return plain;
}

/** The other way: rows one after another into column blocks. Columns beyond the matrix are left as they are. */
export function toBlocks(memory: WebAssembly.Memory, { at, rows }: Blocks, plain: Float32Array, columns: number): void {
  const blocks = f32(memory, at, rows * COLUMN_BLOCK * Math.ceil(columns / COLUMN_BLOCK));
  for (let begin = 0; begin < columns; begin += COLUMN_BLOCK) {
    const count = Math.min(COLUMN_BLOCK, columns - begin);
    for (let row = 0; row < rows; row++) {
      const from = row * columns + begin;
      const to = (begin / COLUMN_BLOCK) * rows * COLUMN_BLOCK + row * COLUMN_BLOCK;
      blocks.set(plain.subarray(from, from + count), to);
    }
  }
}
