/**
 * dst[c, y, x] = lut[c, src[y, x, c]], rows y of [rowBegin, rowEnd): pixels to planes, rescaled and normalised by table.
 *
 *   dst  f32 [3, size, size]
 *   src  u8 [size, size, 3]
 *   lut  f32 [3, 256], computed by the host in the order of operations of the reference: 768 values instead of size² * 3 roundings
 *
 * Bytes are copied, so every build gives the same. `dst` must not overlap the others.
 */
const LUT_CHANNEL_BYTES: usize = 256 * 4;

export function normalise(dst: usize, src: usize, lut: usize, size: usize, rowBegin: usize, rowEnd: usize): void {
  const planeBytes = (size * size) << 2;
  const end = rowEnd * size;
  for (let pixel = rowBegin * size; pixel < end; pixel++) {
    const source = src + pixel * 3;
    const target = dst + (pixel << 2);
    store<u32>(target, load<u32>(lut + ((load<u8>(source) as usize) << 2)));
    store<u32>(target + planeBytes, load<u32>(lut + ((load<u8>(source, 1) as usize) << 2), LUT_CHANNEL_BYTES));
    store<u32>(target + planeBytes * 2, load<u32>(lut + ((load<u8>(source, 2) as usize) << 2), LUT_CHANNEL_BYTES * 2));
  }
}
