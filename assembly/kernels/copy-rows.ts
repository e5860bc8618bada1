/**
 * Copies `rowElements` u8 of each row y of [rowBegin, rowEnd), srcStride and dstStride elements from row to row: an image into its place
 * on a padded one. Elements between the end of a row and the next row are neither read nor written. `dst` must not overlap `src`.
 */
export function copyRows(
  dst: usize,
  src: usize,
  rowElements: usize,
  srcStride: usize,
  dstStride: usize,
  rowBegin: usize,
  rowEnd: usize,
): void {
  for (let y = rowBegin; y < rowEnd; y++) memory.copy(dst + y * dstStride, src + y * srcStride, rowElements);
}
