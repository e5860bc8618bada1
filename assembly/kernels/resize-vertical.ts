/**
 * Vertical pass of Pillow's resample (ImagingResampleVertical_8bpc), rows [rowBegin, rowEnd) of dst.
 *
 *   dst      u8 [rows, rowElements], dstStride elements from row to row
 *   src      u8 [srcHeight, rowElements]
 *   bounds   i32 [rows, 2]: first source row of an output row, and how many (0 .. taps)
 *   weights  i32 [rows, taps], 22 fraction bits; entries beyond the count are not read
 *
 *   dst[y, e] = clamp((2^21 + sum over i of weights[y, i] * src[first + i, e]) >> 22, 0, 255)
 *
 * Integer throughout, so every build gives Pillow's bytes; sums stay below 2^31 as in the horizontal pass. Sixteen elements a step, then one by one:
 * nothing beyond `rowElements` is read or written. `dst` must not overlap `src`.
 */
const HALF: i32 = 1 << 21;

export function resizeVertical(
  dst: usize,
  src: usize,
  bounds: usize,
  weights: usize,
  taps: usize,
  rowElements: usize,
  dstStride: usize,
  rowBegin: usize,
  rowEnd: usize,
): void {
  const whole = rowElements & ~15;
  for (let y = rowBegin; y < rowEnd; y++) {
    const source = src + (load<u32>(bounds + (y << 3)) as usize) * rowElements;
    const count = load<u32>(bounds + (y << 3), 4) as usize;
    const weight = weights + ((y * taps) << 2);
    const target = dst + y * dstStride;
    let e: usize = 0;
    for (; e < whole; e += 16) v128.store(target + e, sixteen(source + e, rowElements, weight, count));
    for (; e < rowElements; e++) store<u8>(target + e, one(source + e, rowElements, weight, count));
  }
}

function sixteen(source: usize, stride: usize, weight: usize, count: usize): v128 {
  let sum0 = i32x4.splat(HALF);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  for (let i: usize = 0; i < count; i++) {
    const w = v128.load32_splat(weight + (i << 2));
    const bytes = v128.load(source + i * stride);
    const low = i16x8.extend_low_i8x16_u(bytes);
    const high = i16x8.extend_high_i8x16_u(bytes);
    sum0 = i32x4.add(sum0, i32x4.mul(i32x4.extend_low_i16x8_u(low), w));
    sum1 = i32x4.add(sum1, i32x4.mul(i32x4.extend_high_i16x8_u(low), w));
    sum2 = i32x4.add(sum2, i32x4.mul(i32x4.extend_low_i16x8_u(high), w));
    sum3 = i32x4.add(sum3, i32x4.mul(i32x4.extend_high_i16x8_u(high), w));
  }
  const low = i16x8.narrow_i32x4_s(i32x4.shr_s(sum0, 22), i32x4.shr_s(sum1, 22));
  const high = i16x8.narrow_i32x4_s(i32x4.shr_s(sum2, 22), i32x4.shr_s(sum3, 22));
  return i8x16.narrow_i16x8_u(low, high);
}

function one(source: usize, stride: usize, weight: usize, count: usize): u8 {
  let sum = HALF;
  for (let i: usize = 0; i < count; i++) sum += load<i32>(weight + (i << 2)) * (load<u8>(source + i * stride) as i32);
  return min(max(sum >> 22, 0), 255) as u8;
}
