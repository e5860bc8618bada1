export function copyRows(
  dst: Uint8Array,
  src: Uint8Array,
  rowElements: number,
  srcStride: number,
  dstStride: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let y = rowBegin; y < rowEnd; y++) {
    for (let i = 0; i < rowElements; i++) dst[y * dstStride + i] = src[y * srcStride + i]!;
  }
}
