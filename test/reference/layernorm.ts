/** In double precision; dst is not rounded. */
export function layernorm(
  dst: Float64Array,
  src: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  width: number,
  eps: number,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let r = rowBegin; r < rowEnd; r++) {
    const row = src.subarray(r * width, (r + 1) * width);
    let mean = 0;
    for (const x of row) mean += x / width;
    let variance = 0;
    for (const x of row) variance += (x - mean) ** 2 / width;
    const deviation = Math.sqrt(variance + Math.fround(eps));
    for (let i = 0; i < width; i++) dst[r * width + i] = ((row[i]! - mean) / deviation) * gamma[i]! + beta[i]!;
  }
}
