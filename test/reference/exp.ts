/** dst[i] = exp(src[i]) in double precision. */
export function exp(dst: Float64Array, src: Float32Array, begin: number, end: number): void {
  for (let i = begin; i < end; i++) dst[i] = Math.exp(src[i]!);
}
