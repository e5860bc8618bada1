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
 * Other columns of dst are left untouched. `dst` must not overlap `src`.
 */
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
  let column = columnBegin;
  for (let row = rowBegin; row < rowEnd; row++, column++) {
    const target = dst + ((column / PANEL) * PANEL * k + (column % PANEL)) * elementBytes;
    const source = src + row * srcStride * elementBytes;
    if (elementBytes === 4) {
      for (let i: usize = 0; i < k; i++) store<u32>(target + i * (PANEL * 4), load<u32>(source + (i << 2)));
    } else {
      for (let i: usize = 0; i < k; i++) store<u16>(target + i * (PANEL * 2), load<u16>(source + (i << 1)));
    }
  }
}
