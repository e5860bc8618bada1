/**
 * One block of k of a product: sums[p, r, n] = or += sum over the block's k of a[r, k] * panel[p, k, n], all rows against one or two
 * neighbouring panels of 8 columns.
 *
 *   sums     f32 [panels, rows, 8]             written when `first`, else added to
 *   widened  WIDENED_BYTES of scratch          used when the panels are not f32
 *   a        f32 [rows, count], aStride        bytes from row to row
 *   panel    [panels, count, 8] of the given storage, the block's first row of the first panel; panelStep bytes to the second
 *   panels   1, or 2 for a tile of 16 columns
 *   count    1 .. K_BLOCK
 *
 * The order of every sum, whatever the tile, the rows and the storage: k in blocks of K_BLOCK, each block one chain of multiply-adds from
 * zero, the block sums added in order. The blocks are there for accuracy (the error grows with K_BLOCK + k / K_BLOCK, not with k) and for the
 * cache: a panel block of f32 is 8 KB, and two of them stay in L1 while all rows pass. A 16-bit panel is widened once per block.
 */
import { STORAGE_F32, widenElements } from "../simd/widen";
import { runTile, tileRows } from "./family";

/** Columns of a panel, and the bytes of one row of f32 sums. */
export const PANEL: usize = 8;
export const PANEL_BYTES: usize = PANEL * 4;

/** Consecutive k of one chain. Part of the ABI: another value gives other bytes. */
export const K_BLOCK: usize = 256;

/** Bytes of one widened panel block. */
const BLOCK_BYTES: usize = K_BLOCK * PANEL_BYTES;

/** Bytes of `widened`. */
export const WIDENED_BYTES: usize = 2 * BLOCK_BYTES;

export function blockProduct(
  tile: i32,
  sums: usize,
  widened: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  panelStep: usize,
  panels: usize,
  storage: i32,
  count: usize,
  first: bool,
): void {
  // Where a tile of two panels has one only, steps of 0 make it stand in for the other.
  const second: usize = panels - 1;
  const sumsStep = second * rows * PANEL_BYTES;
  let block = panel;
  let blockStep = second * panelStep;
  if (storage !== STORAGE_F32) {
    widenElements(widened, block, count * PANEL, storage);
    if (second !== 0) widenElements(widened + BLOCK_BYTES, block + panelStep, count * PANEL, storage);
    block = widened;
    blockStep = second * BLOCK_BYTES;
  }
  rowProducts<f32>(tile, sums, sumsStep, a, aStride, rows, block, blockStep, count, first);
}

/** All rows against a block of one or two panels that is as `tile.ts` takes it; `k` and what `T` means are also as there. */
export function rowProducts<T>(
  tile: i32,
  sums: usize,
  sumsStep: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  block: usize,
  blockStep: usize,
  k: usize,
  first: bool,
): void {
  const height = tileRows(tile);
  for (let row: usize = 0; row < rows; row += height) {
    const present = min<usize>(height, rows - row);
    const target = sums + row * PANEL_BYTES;
    runTile<T>(tile, target, sumsStep, a + row * aStride, aStride, present, block, blockStep, k, first);
  }
}
