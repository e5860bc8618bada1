import { blockIndex } from "./column-block.js";

export function patchifyRgb(
  dst: Float32Array,
  src: Uint8Array,
  lut: Float32Array,
  size: number,
  patch: number,
  tokenBegin: number,
  tokenEnd: number,
): void {
  const grid = size / patch;
  for (let t = tokenBegin; t < tokenEnd; t++) {
    const y = Math.floor(t / grid) * patch;
    const x = (t % grid) * patch;
    for (let c = 0; c < 3; c++) {
      for (let ky = 0; ky < patch; ky++) {
        for (let kx = 0; kx < patch; kx++) {
          const level = src[((y + ky) * size + x + kx) * 3 + c]!;
          dst[blockIndex(grid * grid, t, (c * patch + ky) * patch + kx)] = lut[c * 256 + level]!;
        }
      }
    }
  }
}
