import { PANEL } from "#dist/wasm/abi.js";
import { panelIndex } from "./gemm.js";

export function packColumns(
  dst: Float32Array,
  src: Float32Array,
  columns: number,
  k: number,
  srcStride: number,
  panelBegin: number,
  panelEnd: number,
): void {
  for (let n = panelBegin * PANEL; n < panelEnd * PANEL; n++) {
    for (let i = 0; i < k; i++) dst[panelIndex(n, i, k)] = n < columns ? src[i * srcStride + n]! : 0;
  }
}
