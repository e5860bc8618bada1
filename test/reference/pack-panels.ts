import { panelIndex } from "./multiply.js";

export function packPanels(
  dst: Uint16Array | Uint32Array,
  src: Uint16Array | Uint32Array,
  k: number,
  srcStride: number,
  columnBegin: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let i = 0; i < k; i++) dst[panelIndex(columnBegin + r - rowBegin, i, k)] = src[r * srcStride + i]!;
  }
}
