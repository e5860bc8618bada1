/**
 * How many of the elements [begin, end) of src, of the given storage, are NaN or infinite: those whose exponent bits are all ones.
 * Reads nothing beyond `end`. The same number on every build.
 */
import { loadPartial } from "../simd/partial";
import { STORAGE_BF16, STORAGE_F32 } from "../simd/widen";

const EXPONENT_F32: i32 = 0x7f800000;
const EXPONENT_BF16: i32 = 0x7f80;
const EXPONENT_F16: i32 = 0x7c00;

export function countNonFinite(src: usize, storage: i32, begin: usize, end: usize): i32 {
  if (storage === STORAGE_F32) return countF32(src, begin, end);
  return count16(src, storage === STORAGE_BF16 ? EXPONENT_BF16 : EXPONENT_F16, begin, end);
}

function countF32(src: usize, begin: usize, end: usize): i32 {
  const exponent = i32x4.splat(EXPONENT_F32);
  let count = 0;
  for (let i = begin; i < end; i += 4) {
    const bits = loadPartial(src + (i << 2), end - i);
    count += popcnt(i32x4.bitmask(i32x4.eq(v128.and(bits, exponent), exponent)));
  }
  return count;
}

function count16(src: usize, exponent: i32, begin: usize, end: usize): i32 {
  const exponents = i16x8.splat(exponent as i16);
  let count = 0;
  let i = begin;
  for (; i + 8 <= end; i += 8) {
    const bits = v128.load(src + (i << 1));
    count += popcnt(i16x8.bitmask(i16x8.eq(v128.and(bits, exponents), exponents)));
  }
  for (; i < end; i++) {
    if ((load<u16>(src + (i << 1)) & exponent) === exponent) count++;
  }
  return count;
}
