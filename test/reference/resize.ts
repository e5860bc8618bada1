/** The weighted sum of both passes of Pillow's 8-bit resample: 22 fraction bits, rounded half up, clamped. */
export function resampled(sum: number): number {
  return Math.min(255, Math.max(0, (2 ** 21 + sum) >> 22));
}
