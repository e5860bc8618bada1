/**
 * dst [tokens, 3 * patch²] from src u8 [size, size, 3] and lut f32 [3, 256], tokens [tokenBegin, tokenEnd): `normalise` and `patchify` in one,
 * without the planes between.
 *
 *   dst    f32, in column blocks of (size / patch)² rows (`tiles/column-block.ts`)
 *   src    pixels, rows of R G B
 *   lut    what a level of each channel becomes
 *   patch  at most COLUMN_BLOCK
 *
 * Column c * patch² + ky * patch + kx of token y * (size / patch) + x is lut[c, src[y * patch + ky, x * patch + kx, c]]. Bytes are copied, so every build
 * gives the same. `dst` must not overlap the others.
 */
import { COLUMN_BLOCK, elementAt } from "../tiles/column-block";

const LUT_CHANNEL_BYTES: usize = 256 * 4;

export function patchifyRgb(
  dst: usize,
  src: usize,
  lut: usize,
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
      const levels = lut + channel * LUT_CHANNEL_BYTES;
      for (let ky: usize = 0; ky < patch; ky++) {
        const source = src + (ky * size + corner) * 3 + channel;
        // A row of the patch may end in the next column block.
        const here = min<usize>(patch, COLUMN_BLOCK - (column % COLUMN_BLOCK));
        lookUp(elementAt(dst, tokens, token, column), source, levels, here);
        if (here < patch) lookUp(elementAt(dst, tokens, token, column + here), source + here * 3, levels, patch - here);
        column += patch;
      }
    }
  }
}

/** One channel of `count` pixels. */
function lookUp(target: usize, source: usize, levels: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    store<u32>(target + (i << 2), load<u32>(levels + ((load<u8>(source + i * 3) as usize) << 2)));
  }
}
