import { resampled } from "./resize.js";

export function resizeVertical(
  dst: Uint8Array,
  src: Uint8Array,
  bounds: Int32Array,
  weights: Int32Array,
  taps: number,
  rowElements: number,
  dstStride: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let y = rowBegin; y < rowEnd; y++) {
    const first = bounds[y * 2]!;
    for (let e = 0; e < rowElements; e++) {
      let sum = 0;
      for (let i = 0; i < bounds[y * 2 + 1]!; i++) {
        sum += weights[y * taps + i]! * src[(first + i) * rowElements + e]!;
      }
      dst[y * dstStride + e] = resampled(sum);
    }
  }
}
