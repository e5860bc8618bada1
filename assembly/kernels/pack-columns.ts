/**
 * Packs src, whose columns are already columns of the product (the values of a head), into panels [panelBegin, panelEnd).
 *
 *   src  f32 [k, columns], srcStride elements from row to row
 *   dst  f32 panels of 8 columns: (i, n) lands at (n / 8) * 8 * k + i * 8 + n % 8; missing columns of the last panel become 0
 *
 * Reads nothing beyond column `columns` of a row. `dst` must not overlap `src`.
 */
import { loadPartial } from "../simd/partial";
import { PANEL, PANEL_BYTES } from "../tiles/product";

export function packColumns(
  dst: usize,
  src: usize,
  columns: usize,
  k: usize,
  srcStride: usize,
  panelBegin: usize,
  panelEnd: usize,
): void {
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    const firstColumn = panel * PANEL;
    const valid = min<usize>(PANEL, columns - firstColumn);
    const low = min<usize>(4, valid);
    let source = src + (firstColumn << 2);
    let target = dst + panel * k * PANEL_BYTES;
    for (let i: usize = 0; i < k; i++) {
      v128.store(target, loadPartial(source, low));
      v128.store(target, loadPartial(source + 16, valid - low), 16);
      source += srcStride << 2;
      target += PANEL_BYTES;
    }
  }
}
