/**
 * dst[r] = table[index[r]] as f32, rows r of [rowBegin, rowEnd).
 *
 *   dst    f32 [rows, width]
 *   table  [any, width] of the given storage; widened exactly
 *   index  i32 [rows], each a row of the table: the host has checked them
 *
 * Several r may name one row. `dst` must not overlap `table`. The same bytes on every build.
 */
import { storageBytes, widenElements } from "../simd/widen";

export function gather(
  dst: usize,
  table: usize,
  index: usize,
  width: usize,
  storage: i32,
  rowBegin: usize,
  rowEnd: usize,
): void {
  const tableRowBytes = width * storageBytes(storage);
  for (let row = rowBegin; row < rowEnd; row++) {
    const source = table + (load<u32>(index + (row << 2)) as usize) * tableRowBytes;
    widenElements(dst + ((row * width) << 2), source, width, storage);
  }
}
