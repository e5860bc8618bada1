/** The bits of a quiet NaN: what PyTorch makes of any. */
const NAN = 0x7fc0;

/** bfloat16 bits of float32 values: rounded to nearest, ties to even, beyond the largest to infinity, as PyTorch's `.bfloat16()`. */
export function narrowBF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(words.length);
  for (let i = 0; i < bits.length; i++) {
    const word = words[i]!;
    // Just under half a unit of what is kept, and the last kept bit: a tie carries only into an odd one.
    bits[i] = (word & 0x7fff_ffff) > 0x7f80_0000 ? NAN : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}
