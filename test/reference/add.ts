export function add(dst: Float32Array, a: Float32Array, b: Float32Array, begin: number, end: number): void {
  for (let i = begin; i < end; i++) dst[i] = a[i]! + b[i]!;
}
