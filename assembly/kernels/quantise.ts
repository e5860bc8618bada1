/**
 * dst[r] = round(src[r] / scale[r]) as levels less their zero point, scale[r] = (highest - lowest of the row and zero) / 255: dynamic, per token,
 * asymmetric 8-bit quantisation, rows [rowBegin, rowEnd).
 *
 *   dst    forms 0 and 3: i16 [rows, width], less their zero point, in blocks of LEVEL_BLOCK columns; forms 1 and 2: u8 from 0 on, i8 from -128 on, in blocks of BYTE_BLOCK
 *          columns; 1024 bytes a row of a block; up to the next multiple of 4 zeros are written
 *   src    f32 [rows, width] in column blocks of `rows` rows (`tiles/column-block.ts`)
 *   scale  f32 [rows]
 *   zero   i32 [rows], what forms 1 and 2 keep zero as: dst[r] - zero[r] is what form 0 has; form 3: sum of dst[r, i] * dst[r, i + 2] over i = 0, 1 of every four columns
 *          (`tiles/crossed.ts`); form 0 writes none
 *   width  at least 1
 *
 * Zero is a level (the zero point is round(-lowest / scale)), so there are 256 levels from -zero point to 255 - zero point, rounded to nearest, ties to
 * even, in f32: src * (255 / range). A row without range, of zeros alone or below 2^-100, has scale 0. The bytes depend on the row alone and are the same in every
 * build. |src - scale * level| <= scale / 2 within the range, up to scale at its ends, where the zero point was rounded.
 */
import { CROSSED, crossed, isWide, LEAST_RANGE, nearestIntegers, SIGNED } from "../simd/level";
import { largestLane, loadPartial } from "../simd/partial";
import { BYTE_BLOCK, COLUMN_BLOCK, elementAt, LEVEL_BLOCK } from "../tiles/column-block";

const LEVELS: f32 = 255;

export function quantise(
  dst: usize,
  src: usize,
  scale: usize,
  zero: usize,
  form: i32,
  rows: usize,
  width: usize,
  rowBegin: usize,
  rowEnd: usize,
): void {
  const step = (rows * COLUMN_BLOCK) << 2;
  for (let row = rowBegin; row < rowEnd; row++) {
    const source = elementAt(src, rows, row, 0);
    let lowest = f32x4.splat(0);
    let highest = f32x4.splat(0);
    let lowest2 = lowest;
    let highest2 = highest;
    for (let begin: usize = 0, at = source; begin < width; begin += COLUMN_BLOCK, at += step) {
      const count = min<usize>(COLUMN_BLOCK, width - begin);
      let i: usize = 0;
      for (; i + 8 <= count; i += 8) {
        const x = v128.load(at + (i << 2));
        const y = v128.load(at + (i << 2), 16);
        lowest = f32x4.pmin(lowest, x);
        highest = f32x4.pmax(highest, x);
        lowest2 = f32x4.pmin(lowest2, y);
        highest2 = f32x4.pmax(highest2, y);
      }
      for (; i < count; i += 4) {
        const x = loadPartial(at + (i << 2), count - i);
        lowest = f32x4.pmin(lowest, x);
        highest = f32x4.pmax(highest, x);
      }
    }
    const low = -largestLane(f32x4.neg(f32x4.pmin(lowest, lowest2)));
    const range = largestLane(f32x4.pmax(highest, highest2)) - low;
    const some = range > LEAST_RANGE;
    const steps: f32 = some ? LEVELS / range : 0;
    store<f32>(scale + (row << 2), some ? range / LEVELS : 0);
    const point = nearest<f32>(-low * steps);
    const target = dst + ((row * LEVEL_BLOCK) << 1);
    if (isWide(form)) {
      levels(target, source, step, width, steps, -point, LEVELS - point);
      if (form === CROSSED) store<i32>(zero + (row << 2), crossTerm(target, step, width));
    } else {
      const kept = (point as i32) - (form === SIGNED ? 128 : 0);
      store<i32>(zero + (row << 2), kept);
      bytes(target, source, step, width, steps, kept, form === SIGNED);
    }
  }
}

/** `step`: bytes from a row's part in one block to that in the next, of levels as of floats. */
function levels(dst: usize, src: usize, step: usize, width: usize, steps: f32, least: f32, most: f32): void {
  const scales = f32x4.splat(steps);
  const bottom = i16x8.splat(least as i16);
  const top = i16x8.splat(most as i16);
  for (let begin: usize = 0; begin < width; begin += COLUMN_BLOCK, src += step) {
    const count = min<usize>(COLUMN_BLOCK, width - begin);
    const target = dst + (begin / LEVEL_BLOCK) * step + ((begin % LEVEL_BLOCK) << 1);
    let i: usize = 0;
    for (; i + 8 <= count; i += 8) {
      const low = nearestIntegers(f32x4.mul(v128.load(src + (i << 2)), scales));
      const high = nearestIntegers(f32x4.mul(v128.load(src + (i << 2), 16), scales));
      const level = i16x8.narrow_i32x4_s(low, high);
      v128.store(target + (i << 1), i16x8.min_s(top, i16x8.max_s(bottom, level)));
    }
    for (; i < count; i += 4) {
      const integers = nearestIntegers(f32x4.mul(loadPartial(src + (i << 2), count - i), scales));
      const level = i16x8.min_s(top, i16x8.max_s(bottom, i16x8.narrow_i32x4_s(integers, integers)));
      v128.store64_lane(target + (i << 1), level, 0);
    }
  }
}

/** The sum of i16 products of neighbours but one, levels 0 by 2 and 1 by 3 of every four; `step` from a block to the next. */
function crossTerm(levels: usize, step: usize, width: usize): i32 {
  let sums = i32x4.splat(0);
  for (let begin: usize = 0; begin < width; begin += LEVEL_BLOCK, levels += step) {
    const count = min<usize>(LEVEL_BLOCK, width - begin);
    let i: usize = 0;
    for (; i + 8 <= count; i += 8) sums = i32x4.add(sums, crossed(v128.load(levels + (i << 1))));
    if (i < count) sums = i32x4.add(sums, crossed(v128.load64_zero(levels + (i << 1))));
    if (i + 4 < count) sums = i32x4.add(sums, crossed(v128.load64_zero(levels + (i << 1), 8)));
  }
  // Every product is there twice.
  const pairs = i32x4.add(sums, i8x16.shuffle(sums, sums, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return i32x4.extract_lane(pairs, 0);
}

/** The same as bytes, with their zero point: saturation to what a byte holds is where the levels end. */
function bytes(dst: usize, src: usize, step: usize, width: usize, steps: f32, zero: i32, signed: bool): void {
  const scales = f32x4.splat(steps);
  const zeros = i32x4.splat(zero);
  for (let begin: usize = 0; begin < width; begin += COLUMN_BLOCK, src += step) {
    const count = min<usize>(COLUMN_BLOCK, width - begin);
    const target = dst + (begin / BYTE_BLOCK) * step + (begin % BYTE_BLOCK);
    let i: usize = 0;
    for (; i + 8 <= count; i += 8) {
      const low = i32x4.add(nearestIntegers(f32x4.mul(v128.load(src + (i << 2)), scales)), zeros);
      const high = i32x4.add(nearestIntegers(f32x4.mul(v128.load(src + (i << 2), 16), scales)), zeros);
      v128.store64_lane(target + i, narrowBytes(i16x8.narrow_i32x4_s(low, high), signed), 0);
    }
    for (; i < count; i += 4) {
      const four = i32x4.add(nearestIntegers(f32x4.mul(loadPartial(src + (i << 2), count - i), scales)), zeros);
      v128.store32_lane(target + i, narrowBytes(i16x8.narrow_i32x4_s(four, four), signed), 0);
    }
  }
}

function narrowBytes(levels: v128, signed: bool): v128 {
  return signed ? i8x16.narrow_i16x8_s(levels, levels) : i8x16.narrow_i16x8_u(levels, levels);
}
