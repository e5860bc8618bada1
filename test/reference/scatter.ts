/** Bit patterns, so that NaN payloads count. */
export function scatter(
  dst: Uint32Array,
  src: Uint32Array,
  index: Int32Array,
  width: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let i = 0; i < width; i++) dst[index[r]! * width + i] = src[r * width + i]!;
  }
}
