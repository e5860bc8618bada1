/**
 * The tables of Pillow's antialiased bicubic resize (11.3.0, libImaging/Resample.c), one per axis.
 *
 * A resize is two passes, horizontal first, into uint8 each time; a pass whose size does not change is left out. A pixel is
 * clamp((2^21 + sum_k weight_k * value_k) >> 22, 0, 255), in int32 without overflow: the weights of an output pixel sum to 2^22 but
 * for rounding, their absolute values to less than 1.3 * 2^22. (Pillow 13 swaps the passes for some tall pictures; the reference does not.)
 */
export interface ResampleTable {
  /** [size, 2]: first source pixel and number of source pixels of each output pixel. */
  readonly bounds: Int32Array<ArrayBuffer>;
  /** [size, taps]: weights with 22 fraction bits, zeros after the count. */
  readonly weights: Int32Array<ArrayBuffer>;
  /** The largest count. */
  readonly taps: number;
}

/** Fraction bits of a weight: Pillow's 32 - 8 - 2, which leaves two bits for the overshoot of the filter. */
const FRACTION_BITS = 22;

/** Half width of the bicubic filter, in source pixels at scale 1. */
const SUPPORT = 2;

/** The table that takes `sourceSize` pixels to `size` pixels. All arithmetic is float64 in Pillow's order. */
export function bicubicTable(sourceSize: number, size: number): ResampleTable {
  const scale = sourceSize / size;
  const stretch = Math.max(scale, 1);
  const reach = SUPPORT * stretch;
  const inverse = 1 / stretch;

  const bounds = new Int32Array(size * 2);
  let taps = 0;
  for (let i = 0; i < size; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(sourceSize, Math.trunc(centre + reach + 0.5)) - first;
    bounds[i * 2] = first;
    bounds[i * 2 + 1] = count;
    taps = Math.max(taps, count);
  }

  const weights = new Int32Array(size * taps);
  const row = new Float64Array(taps);
  for (let i = 0; i < size; i++) {
    const centre = (i + 0.5) * scale;
    const first = bounds[i * 2]!;
    const count = bounds[i * 2 + 1]!;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const weight = bicubic((k + first - centre + 0.5) * inverse);
      row[k] = weight;
      sum += weight;
    }
    for (let k = 0; k < count; k++) weights[i * taps + k] = fixedPoint(sum === 0 ? row[k]! : row[k]! / sum);
  }
  return { bounds, weights, taps };
}

/** Keys' cubic with a = -0.5. */
function bicubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Rounded half away from zero, as a C cast after adding 0.5 with the sign of the weight. */
function fixedPoint(weight: number): number {
  return Math.trunc(weight * 2 ** FRACTION_BITS + (weight < 0 ? -0.5 : 0.5));
}
