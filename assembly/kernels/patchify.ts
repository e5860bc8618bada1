/**
 * dst f32 [tokens, 3 * patch²] from pixels f32 [3, size, size], tokens [tokenBegin, tokenEnd): the rows that a convolution of kernel and
 * stride `patch` multiplies with its weight [out, 3 * patch²].
 *
 * Token t = y * (size / patch) + x is the patch at (y, x); column c * patch² + ky * patch + kx is its channel, row and column, the order of a
 * PyTorch convolution weight. Bytes are copied. `dst` must not overlap `pixels`.
 */
import { loadPartial, storePartial } from "../simd/partial";

export function patchify(
  dst: usize,
  pixels: usize,
  size: usize,
  patch: usize,
  tokenBegin: usize,
  tokenEnd: usize,
): void {
  const tokensPerRow = size / patch;
  let target = dst + ((tokenBegin * 3 * patch * patch) << 2);
  for (let token = tokenBegin; token < tokenEnd; token++) {
    const corner = (token / tokensPerRow) * patch * size + (token % tokensPerRow) * patch;
    for (let channel: usize = 0; channel < 3; channel++) {
      for (let ky: usize = 0; ky < patch; ky++) {
        const source = pixels + (((channel * size + ky) * size + corner) << 2);
        for (let kx: usize = 0; kx < patch; kx += 4) {
          storePartial(target + (kx << 2), loadPartial(source + (kx << 2), patch - kx), patch - kx);
        }
        target += patch << 2;
      }
    }
  }
}
