/** One head in double precision, from keys and values as they are before packing, [tokens, headWidth]. */
export function attention(
  out: Float64Array,
  q: Float32Array,
  keys: Float32Array,
  values: Float32Array,
  tokens: number,
  headWidth: number,
  scale: number,
  qStride: number,
  outStride: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let r = rowBegin; r < rowEnd; r++) {
    const scores = Array.from({ length: tokens }, (_, t) => {
      let dot = 0;
      for (let i = 0; i < headWidth; i++) dot += q[r * qStride + i]! * keys[t * headWidth + i]!;
      return dot * Math.fround(scale);
    });
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    for (let i = 0; i < headWidth; i++) {
      out[r * outStride + i] = powers.reduce(
        (total, power, t) => total + (power / sum) * values[t * headWidth + i]!,
        0,
      );
    }
  }
}
