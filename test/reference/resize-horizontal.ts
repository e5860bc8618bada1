import { resampled } from "./resize.js";

export function resizeHorizontal(
  dst: Uint8Array,
  src: Uint8Array,
  bounds: Int32Array,
  weights: Int32Array,
  taps: number,
  srcWidth: number,
  dstWidth: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let y = rowBegin; y < rowEnd; y++) {
    for (let x = 0; x < dstWidth; x++) {
      const first = bounds[x * 2]!;
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let i = 0; i < bounds[x * 2 + 1]!; i++) {
          sum += weights[x * taps + i]! * src[(y * srcWidth + first + i) * 3 + c]!;
        }
        dst[(y * dstWidth + x) * 3 + c] = resampled(sum);
      }
    }
  }
}
