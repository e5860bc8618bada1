/**
 * Horizontal pass of Pillow's resample (ImagingResampleHorizontal_8bpc), rows [rowBegin, rowEnd).
 *
 *   dst      u8 [rows, dstWidth, 3]
 *   src      u8 [rows, srcWidth, 3]
 *   bounds   i32 [dstWidth, 2]: first source pixel of an output pixel, and how many (0 .. taps)
 *   weights  i32 [dstWidth, taps], 22 fraction bits; entries beyond the count are not read
 *
 *   dst[y, x, c] = clamp((2^21 + sum over i of weights[x, i] * src[y, first + i, c]) >> 22, 0, 255)
 *
 * Integer throughout, so every build gives Pillow's bytes. The weights of a pixel sum to 2^22 and Pillow's filters overshoot by less than half
 * of that, so sums stay below 2^31. `dst` must not overlap `src`.
 *
 * Three lanes are the channels; the fourth holds the next pixel's first byte and is dropped. The last tap is read byte by byte, because
 * nothing need follow it in memory.
 */
const HALF: i32 = 1 << 21;

export function resizeHorizontal(
  dst: usize,
  src: usize,
  bounds: usize,
  weights: usize,
  taps: usize,
  srcWidth: usize,
  dstWidth: usize,
  rowBegin: usize,
  rowEnd: usize,
): void {
  let target = dst + rowBegin * dstWidth * 3;
  for (let y = rowBegin; y < rowEnd; y++) {
    const row = src + y * srcWidth * 3;
    for (let x: usize = 0; x < dstWidth; x++) {
      const first = load<u32>(bounds + (x << 3)) as usize;
      const count = load<u32>(bounds + (x << 3), 4) as usize;
      storePixel(target, weightedSum(row + first * 3, weights + ((x * taps) << 2), count));
      target += 3;
    }
  }
}

function weightedSum(pixel: usize, weight: usize, count: usize): v128 {
  let total = i32x4.splat(HALF);
  if (count === 0) return total;
  const last = pixel + (count - 1) * 3;
  for (; pixel < last; pixel += 3, weight += 4) {
    total = i32x4.add(total, i32x4.mul(channels(load<u32>(pixel)), v128.load32_splat(weight)));
  }
  const bytes = (load<u16>(pixel) as u32) | ((load<u8>(pixel, 2) as u32) << 16);
  return i32x4.add(total, i32x4.mul(channels(bytes), v128.load32_splat(weight)));
}

function channels(bytes: u32): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(bytes)));
}

function storePixel(target: usize, total: v128): void {
  const words = i16x8.narrow_i32x4_s(i32x4.shr_s(total, 22), i32x4.splat(0));
  const bytes = i8x16.narrow_i16x8_u(words, words);
  v128.store_lane<i16>(target, bytes, 0);
  v128.store_lane<i8>(target, bytes, 2, 2);
}
