/**
 * Square blocks of a matrix turned round in registers: 8x8 of 16-bit elements, 4x4 of 32-bit ones. Three (two) rounds of interleaving
 * neighbours, each twice as wide as the one before.
 */

/** target[i, j] = source[j, i] for 8x8 16-bit elements; source rows `stride` bytes apart, target rows 16 bytes. */
export function transpose8x8(target: usize, source: usize, stride: usize): void {
  const r0 = v128.load(source);
  const r1 = v128.load(source + stride);
  const r2 = v128.load(source + 2 * stride);
  const r3 = v128.load(source + 3 * stride);
  const r4 = v128.load(source + 4 * stride);
  const r5 = v128.load(source + 5 * stride);
  const r6 = v128.load(source + 6 * stride);
  const r7 = v128.load(source + 7 * stride);
  const a0 = v128.shuffle<u16>(r0, r1, 0, 8, 1, 9, 2, 10, 3, 11);
  const a1 = v128.shuffle<u16>(r0, r1, 4, 12, 5, 13, 6, 14, 7, 15);
  const a2 = v128.shuffle<u16>(r2, r3, 0, 8, 1, 9, 2, 10, 3, 11);
  const a3 = v128.shuffle<u16>(r2, r3, 4, 12, 5, 13, 6, 14, 7, 15);
  const a4 = v128.shuffle<u16>(r4, r5, 0, 8, 1, 9, 2, 10, 3, 11);
  const a5 = v128.shuffle<u16>(r4, r5, 4, 12, 5, 13, 6, 14, 7, 15);
  const a6 = v128.shuffle<u16>(r6, r7, 0, 8, 1, 9, 2, 10, 3, 11);
  const a7 = v128.shuffle<u16>(r6, r7, 4, 12, 5, 13, 6, 14, 7, 15);
  const b0 = v128.shuffle<u32>(a0, a2, 0, 4, 1, 5);
  const b1 = v128.shuffle<u32>(a0, a2, 2, 6, 3, 7);
  const b2 = v128.shuffle<u32>(a1, a3, 0, 4, 1, 5);
  const b3 = v128.shuffle<u32>(a1, a3, 2, 6, 3, 7);
  const b4 = v128.shuffle<u32>(a4, a6, 0, 4, 1, 5);
  const b5 = v128.shuffle<u32>(a4, a6, 2, 6, 3, 7);
  const b6 = v128.shuffle<u32>(a5, a7, 0, 4, 1, 5);
  const b7 = v128.shuffle<u32>(a5, a7, 2, 6, 3, 7);
  v128.store(target, v128.shuffle<u64>(b0, b4, 0, 2));
  v128.store(target, v128.shuffle<u64>(b0, b4, 1, 3), 16);
  v128.store(target, v128.shuffle<u64>(b1, b5, 0, 2), 32);
  v128.store(target, v128.shuffle<u64>(b1, b5, 1, 3), 48);
  v128.store(target, v128.shuffle<u64>(b2, b6, 0, 2), 64);
  v128.store(target, v128.shuffle<u64>(b2, b6, 1, 3), 80);
  v128.store(target, v128.shuffle<u64>(b3, b7, 0, 2), 96);
  v128.store(target, v128.shuffle<u64>(b3, b7, 1, 3), 112);
}

/** target[i, j] = source[j, i] for 4x4 32-bit elements; source rows `stride` bytes apart, target rows 32 bytes. */
export function transpose4x4(target: usize, source: usize, stride: usize): void {
  const r0 = v128.load(source);
  const r1 = v128.load(source + stride);
  const r2 = v128.load(source + 2 * stride);
  const r3 = v128.load(source + 3 * stride);
  const a0 = v128.shuffle<u32>(r0, r1, 0, 4, 1, 5);
  const a1 = v128.shuffle<u32>(r0, r1, 2, 6, 3, 7);
  const a2 = v128.shuffle<u32>(r2, r3, 0, 4, 1, 5);
  const a3 = v128.shuffle<u32>(r2, r3, 2, 6, 3, 7);
  v128.store(target, v128.shuffle<u64>(a0, a2, 0, 2));
  v128.store(target, v128.shuffle<u64>(a0, a2, 1, 3), 32);
  v128.store(target, v128.shuffle<u64>(a1, a3, 0, 2), 64);
  v128.store(target, v128.shuffle<u64>(a1, a3, 1, 3), 96);
}
