/** a * b + c in float32: with one rounding, as the fused instruction, or with two. */
export function multiplyAdd(a: number, b: number, c: number, fused: boolean): number {
  const product = a * b;
  return fused ? roundSum(product, c) : Math.fround(Math.fround(product) + c);
}

const value = new Float64Array(1);
/** The double's bits, low half first: the 29 that float32 drops are in it. */
const words = new Uint32Array(value.buffer);

/**
 * a + b rounded once to float32. The double sum may be halfway between two floats by its own rounding only; what it lost (Knuth's TwoSum)
 * then says which is nearer, so the double is moved one step that way first.
 */
function roundSum(a: number, b: number): number {
  const sum = a + b;
  const back = sum - a;
  const lost = a - (sum - back) + (b - back);
  if (lost === 0 || Number.isNaN(lost)) return Math.fround(sum);
  value[0] = sum;
  if ((words[0]! & 0x1fffffff) === 0x10000000) words[0]! += lost > 0 === sum > 0 ? 1 : -1;
  return Math.fround(value[0]!);
}
