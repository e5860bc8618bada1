/** Tables of Pillow's shape for the resize tests: windows of Pillow's bicubic, weights random with its sum and overshoot. */
export interface ResampleTables {
  readonly bounds: number[];
  readonly weights: number[];
  readonly taps: number;
}

const ONE = 2 ** 22;

export function resampleTables(srcSize: number, dstSize: number, random: () => number): ResampleTables {
  const scale = srcSize / dstSize;
  const support = 2 * Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const bounds: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < dstSize; i++) {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - support + 0.5));
    const count = Math.min(srcSize, Math.floor(center + support + 0.5)) - first;
    bounds.push(first, count);
    weights.push(...randomWeights(count, random), ...new Array<number>(taps - count).fill(0x7fffffff));
  }
  return { bounds, weights, taps };
}

/** Sum 2^22; about a quarter as much again on either side of zero cancels. */
function randomWeights(count: number, random: () => number): number[] {
  const positive = Array.from({ length: count }, random);
  const total = positive.reduce((sum, x) => sum + x, 0);
  const weights = positive.map((x) => Math.round((x / total) * ONE));
  for (let i = 0; i + 1 < count; i += 2) {
    const shift = Math.round(((random() - 0.5) * ONE) / count);
    weights[i]! += shift;
    weights[i + 1]! -= shift;
  }
  weights[0]! += ONE - weights.reduce((sum, x) => sum + x, 0);
  return weights;
}
