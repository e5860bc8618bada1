/**
 * dst[index[r]] = src[r], rows r of [rowBegin, rowEnd) of src, byte for byte.
 *
 *   dst    f32 [any, width]
 *   src    f32 [rows, width]
 *   index  i32 [rows], distinct rows of dst: the host has checked them
 *
 * Distinct rows are what makes any split of r give the same bytes. `dst` must not overlap `src`.
 */
export function scatter(dst: usize, src: usize, index: usize, width: usize, rowBegin: usize, rowEnd: usize): void {
  const rowBytes = width << 2;
  for (let row = rowBegin; row < rowEnd; row++) {
    memory.copy(dst + (load<u32>(index + (row << 2)) as usize) * rowBytes, src + row * rowBytes, rowBytes);
  }
}
