import { normalCdf } from "./erf.js";

/** dst[i] = src[i] Φ(src[i]) in double precision. */
export function gelu(dst: Float64Array, src: Float32Array, begin: number, end: number): void {
  for (let i = begin; i < end; i++) dst[i] = src[i]! * normalCdf(src[i]!);
}
