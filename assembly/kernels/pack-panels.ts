/**
 * Packs rows [rowBegin, rowEnd) of src as columns of a panel buffer: a weight [out, in] or the keys of a head, whose rows are the columns
 * of the product.
 *
 *   src  [rows, k], srcStride elements from row to row, elements of 4 or 2 bytes, copied as they are
 *   dst  panels of 8 columns: row r is column n = columnBegin + (r - rowBegin), its element i lands at (n / 8) * 8 * k + i * 8 + n % 8
 *
 *   one panel, k down:   n=0 n=1 … n=7 | n=0 n=1 … n=7 | …
 *                             i = 0    |     i = 1     |
 *
 * Whole panels go through square blocks in registers; the rows before the first and after the last, and k beyond the last block, one
 * element at a time. Other columns of dst are left untouched. `dst` must not overlap `src`.
 */
import { transpose4x4, transpose8x8 } from "../simd/transpose";
import { PANEL } from "../tiles/product";

export function packPanels(
  dst: usize,
  src: usize,
  k: usize,
  srcStride: usize,
  elementBytes: usize,
  columnBegin: usize,
  rowBegin: usize,
  rowEnd: usize,
): void {
  const rowBytes = srcStride * elementBytes;
  let column = columnBegin;
  let row = rowBegin;
  while (row < rowEnd) {
    const inPanel = column % PANEL;
    const target = dst + ((column / PANEL) * PANEL * k + inPanel) * elementBytes;
    const source = src + row * rowBytes;
    const rows = min<usize>(PANEL - inPanel, rowEnd - row);
    let done: usize = 0;
    if (rows === PANEL) done = packBlocks(target, source, k, rowBytes, elementBytes);
    for (let j: usize = 0; j < rows; j++) {
      packRow(target + j * elementBytes, source + j * rowBytes, done, k, elementBytes);
    }
    column += rows;
    row += rows;
  }
}

/** Whole blocks of 8 rows; returns how many elements of each row that were. */
function packBlocks(target: usize, source: usize, k: usize, rowBytes: usize, elementBytes: usize): usize {
  let i: usize = 0;
  if (elementBytes === 4) {
    for (; i + 4 <= k; i += 4) {
      transpose4x4(target + i * (PANEL * 4), source + (i << 2), rowBytes);
      transpose4x4(target + i * (PANEL * 4) + 16, source + (i << 2) + 4 * rowBytes, rowBytes);
    }
  } else {
    for (; i + 8 <= k; i += 8) transpose8x8(target + i * (PANEL * 2), source + (i << 1), rowBytes);
  }
  return i;
}

function packRow(target: usize, source: usize, begin: usize, k: usize, elementBytes: usize): void {
  if (elementBytes === 4) {
    for (let i = begin; i < k; i++) store<u32>(target + i * (PANEL * 4), load<u32>(source + (i << 2)));
  } else {
    for (let i = begin; i < k; i++) store<u16>(target + i * (PANEL * 2), load<u16>(source + (i << 1)));
  }
}
