/**
 * sums[r, n] = sum over k of a[r, k] * panel[k, n]: all rows against one panel of 8 columns.
 *
 *   sums     f32 [rows, 8]                     written
 *   widened  f32 [K_BLOCK, 8]                  scratch, used when the panel is not f32
 *   a        f32 [rows, k], aStride            bytes from row to row
 *   panel    [k, 8] of the given storage
 *
 * The order of every sum, whatever the tile, the rows and the storage: k in blocks of K_BLOCK, each block one chain of multiply-adds from
 * zero, the block sums added in order. The blocks are there for accuracy (the error grows with K_BLOCK + k / K_BLOCK, not with k) and for the cache: a
 * panel block of f32 is 8 KB, which stays in L1 while all rows pass. A 16-bit panel is widened once per block.
 */
import { TILE_ROWS } from "../simd/fma";
import { STORAGE_F32, storageBytes, widenElements } from "../simd/widen";
import { tile } from "./tile";

/** Columns of a panel, and the bytes of one row of f32 sums. */
export const PANEL: usize = 8;
export const PANEL_BYTES: usize = PANEL * 4;

/** Consecutive k of one chain. Part of the ABI: another value gives other bytes. */
export const K_BLOCK: usize = 256;

/** Bytes of `widened`. */
export const WIDENED_BYTES: usize = K_BLOCK * PANEL_BYTES;

export function panelProduct(
  sums: usize,
  widened: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  storage: i32,
  k: usize,
): void {
  memory.fill(sums, 0, rows * PANEL_BYTES);
  for (let begin: usize = 0; begin < k; begin += K_BLOCK) {
    const count = min<usize>(K_BLOCK, k - begin);
    let block = panel + begin * PANEL * storageBytes(storage);
    if (storage !== STORAGE_F32) {
      widenElements(widened, block, count * PANEL, storage);
      block = widened;
    }
    for (let row: usize = 0; row < rows; row += TILE_ROWS) {
      tile(
        sums + row * PANEL_BYTES,
        a + row * aStride + (begin << 2),
        aStride,
        min<usize>(TILE_ROWS, rows - row),
        block,
        count,
      );
    }
  }
}
