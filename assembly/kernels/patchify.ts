/**
 * dst [tokens, 3 * patch²] from pixels f32 [3, size, size], tokens [tokenBegin, tokenEnd): the rows that a convolution of kernel and
 * stride `patch` multiplies with its weight [out, 3 * patch²].
 *
 *   dst    f32, in column blocks of (size / patch)² rows (`tiles/column-block.ts`)
 *   patch  at most COLUMN_BLOCK
 *
 * Token t = y * (size / patch) + x is the patch at (y, x); column c * patch² + ky * patch + kx is its channel, row and column, the order of a
 * PyTorch convolution weight. Bytes are copied. `dst` must not overlap `pixels`.
 */
import { loadPartial, storePartial } from "../simd/partial";
import { COLUMN_BLOCK, elementAt } from "../tiles/column-block";

export function patchify(
  dst: usize,
  pixels: usize,
  size: usize,
  patch: usize,
  tokenBegin: usize,
  tokenEnd: usize,
): void {
  const tokensPerRow = size / patch;
  const tokens = tokensPerRow * tokensPerRow;
  for (let token = tokenBegin; token < tokenEnd; token++) {
    const corner = (token / tokensPerRow) * patch * size + (token % tokensPerRow) * patch;
    let column: usize = 0;
    for (let channel: usize = 0; channel < 3; channel++) {
      for (let ky: usize = 0; ky < patch; ky++) {
        const source = pixels + (((channel * size + ky) * size + corner) << 2);
        // A row of the patch may end in the next column block.
        const here = min<usize>(patch, COLUMN_BLOCK - (column % COLUMN_BLOCK));
        copy(elementAt(dst, tokens, token, column), source, here);
        if (here < patch) copy(elementAt(dst, tokens, token, column + here), source + (here << 2), patch - here);
        column += patch;
      }
    }
  }
}

function copy(target: usize, source: usize, count: usize): void {
  for (let i: usize = 0; i < count; i += 4) {
    const at = i << 2;
    storePartial(target + at, loadPartial(source + at, count - i), count - i);
  }
}
