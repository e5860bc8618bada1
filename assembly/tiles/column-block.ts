/**
 * Where activations lie: element (r, c) of [rows, columns] at ((c / 256) * rows + r) * 256 + c % 256, columns rounded up to 256.
 *
 *   block 0: row 0, columns 0 … 255 | row 1, columns 0 … 255 | …      block 1: row 0, columns 256 … 511 | …
 *
 * A column block is as wide as a block of k (`K_BLOCK`): what a product reads of its rows at a time is one piece of memory, 288 rows of
 * it 295 KB of L2. In rows of 1024 or 4096 elements the six rows of a tile fall into the same sets of the cache and push the panel out of L1.
 */
import { K_BLOCK } from "./product";

/** Columns of a block; a power of two. */
export const COLUMN_BLOCK: usize = K_BLOCK;

/**
 * Columns of a block of 8-bit levels, which are kept as i16: as many bytes. A longer block is fewer additions to the sums, and the panel that goes with it still stays in L1
 * (two of 8 columns 16 KB).
 */
export const LEVEL_BLOCK: usize = 2 * COLUMN_BLOCK;

/** The same of levels that are kept as bytes. */
export const BYTE_BLOCK: usize = 4 * COLUMN_BLOCK;

/** Bytes from row to row in a column block. */
export const ROW_BYTES: usize = COLUMN_BLOCK * 4;

/** Address of element (row, column) of a matrix of `rows` rows at `base`. */
export function elementAt(base: usize, rows: usize, row: usize, column: usize): usize {
  return base + ((((column / COLUMN_BLOCK) * rows + row) * COLUMN_BLOCK + (column % COLUMN_BLOCK)) << 2);
}
