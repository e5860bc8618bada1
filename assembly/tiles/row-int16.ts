/**
 * Levels of 16 bits, which attention multiplies: k in groups of 16, each in pairs of k and k + 8, as they come out of four vectors of floats by shifts alone.
 *
 *   k: 0 8 | 1 9 | 2 10 | … | 7 15 || 16 24 | 17 25 | …
 *
 * K is k rounded up to 16; levels beyond k are zero. A row is i16 [K]. A panel is 8 columns side by side, followed by what belongs to them, the term as of rows what `crossed.ts` has
 * too much, or zero:
 *
 *   i16 [K / 2, 8, 2]  |  scale f32 [8]  |  term i32 [8]
 */
import { crossed, LEAST_RANGE, nearestPairs } from "../simd/level";
import { addLanes, largestLane, loadPartial } from "../simd/partial";
import { PANEL, PANEL_BYTES } from "./product";

/** k of a group, and how far the two of a pair are apart. */
export const GROUP: usize = 16;
export const APART: usize = GROUP / 2;

export function groups(k: usize): usize {
  return (k + (GROUP - 1)) / GROUP;
}

export function rowBytes(k: usize): usize {
  return groups(k) * GROUP * 2;
}

export function int16PanelBytes(k: usize): usize {
  return scalesOf(0, k) + 2 * PANEL_BYTES;
}

/** Address of the scales of a panel, PANEL_BYTES before the terms. */
export function scalesOf(panel: usize, k: usize): usize {
  return panel + rowBytes(k) * PANEL;
}

/** dst = round(src / scale), src f32 [width]: symmetric, the largest magnitude becoming `levels`. Returns the scale: 0 where there is nothing above 2^-100, NaN where something is not finite. */
export function quantiseRow(dst: usize, src: usize, width: usize, levels: f32): f32 {
  const zero = f32x4.splat(0);
  let largest = zero;
  let wrong = zero;
  for (let i: usize = 0; i < width; i += 4) {
    const x = loadPartial(src + (i << 2), width - i);
    largest = f32x4.pmax(largest, f32x4.abs(x));
    wrong = f32x4.add(wrong, f32x4.mul(x, zero));
  }
  const most = largestLane(largest);
  const some = most > LEAST_RANGE;
  const steps = f32x4.splat(some ? levels / most : 0);
  let left = width;
  for (; left >= GROUP; left -= GROUP, src += 64, dst += 32) {
    v128.store(dst, nearestPairs(v128.load(src), v128.load(src, 32), steps));
    v128.store(dst, nearestPairs(v128.load(src, 16), v128.load(src, 48), steps), 16);
  }
  if (left > 0) {
    const low = nearestPairs(loadPartial(src, left), left > 8 ? loadPartial(src + 32, left - 8) : zero, steps);
    const high = left > 4 ? loadPartial(src + 16, left - 4) : zero;
    v128.store(dst, low);
    v128.store(dst, nearestPairs(high, left > 12 ? loadPartial(src + 48, left - 12) : zero, steps), 16);
  }
  return (some ? most / levels : 0) + addLanes(wrong);
}

/** Of every four levels of a row the first by the third plus the second by the fourth, added up. */
export function rowTerm(levels: usize, k: usize): i32 {
  let sum = i32x4.splat(0);
  let farSum = sum;
  for (const end = levels + rowBytes(k); levels < end; levels += 32) {
    sum = i32x4.add(sum, crossed(v128.load(levels)));
    farSum = i32x4.add(farSum, crossed(v128.load(levels, 16)));
  }
  // Every product is there twice.
  sum = i32x4.add(sum, farSum);
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 2);
}
