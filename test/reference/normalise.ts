export function normalise(
  dst: Float32Array,
  src: Uint8Array,
  lut: Float32Array,
  size: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let c = 0; c < 3; c++) {
    for (let y = rowBegin; y < rowEnd; y++) {
      for (let x = 0; x < size; x++) {
        dst[(c * size + y) * size + x] = lut[c * 256 + src[(y * size + x) * 3 + c]!]!;
      }
    }
  }
}
