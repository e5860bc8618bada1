/**
 * Exact widening of the 16-bit formats to f32, and the storage codes of the ABI.
 *
 * bf16 is the upper half of an f32. f16 has 5 exponent bits and 10 of mantissa: moved to where f32 keeps them they read as the value
 * times 2^-112 (biases 15 and 127), subnormals included, so one multiplication by a power of two finishes the job without rounding;
 * an exponent of 31 (infinity, NaN) is set to all ones afterwards. NaN payloads survive, shifted.
 */
export const STORAGE_F32: i32 = 0;
export const STORAGE_BF16: i32 = 1;
export const STORAGE_F16: i32 = 2;

const TWO_POW_112: f32 = 5.192296858534828e33;

export function storageBytes(storage: i32): usize {
  return storage === STORAGE_F32 ? 4 : 2;
}

/** Four bf16 as the low halves of four lanes. */
export function widenBf16(halves: v128): v128 {
  return i32x4.shl(halves, 16);
}

/** Four f16 as the low halves of four lanes. */
export function widenF16(halves: v128): v128 {
  const magnitude = v128.and(halves, i32x4.splat(0x7fff));
  const sign = i32x4.shl(v128.xor(halves, magnitude), 16);
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(0x7f800000));
  const value = f32x4.mul(i32x4.shl(magnitude, 13), f32x4.splat(TWO_POW_112));
  return v128.or(v128.or(value, special), sign);
}

/** target[0..count) f32 = source[0..count) of the given storage. They must not overlap, except that f32 may be copied onto itself. */
export function widenElements(target: usize, source: usize, count: usize, storage: i32): void {
  if (storage === STORAGE_F32) {
    memory.copy(target, source, count << 2);
    return;
  }
  let i: usize = 0;
  if (storage === STORAGE_BF16) {
    for (; i + 4 <= count; i += 4) v128.store(target + (i << 2), widenBf16(v128.load16x4_u(source + (i << 1))));
  } else {
    for (; i + 4 <= count; i += 4) v128.store(target + (i << 2), widenF16(v128.load16x4_u(source + (i << 1))));
  }
  for (; i < count; i++) {
    const half = i32x4.splat(load<u16>(source + (i << 1)));
    v128.store_lane<f32>(target + (i << 2), storage === STORAGE_BF16 ? widenBf16(half) : widenF16(half), 0);
  }
}
