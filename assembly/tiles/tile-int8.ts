/**
 * The register tiles of 8-bit products: sums[p, r, n] = or += sum over k of a[r, k] * panel[p, k, n] in 32-bit integers, for up to `Rows` rows
 * and one or two panels of 8 columns.
 *
 *   sums    i32 [panels, rows of the call, 8]   written when `first`, else added to; `sumsStep` bytes from panel to panel
 *   a       i16 [rows, 4 * fours]               `aStride` bytes from row to row
 *   panel   i16 [panels, 2 * fours, 8, 2]       two k of every column side by side (`panel-int8.ts`); `panelStep` bytes from panel to panel
 *   rows    1 .. Rows; fours >= 1
 *
 * The operands are 8-bit levels less their zero point and 8-bit weights: `i32x4.dot_i16x8_s` is exact for them, and 4096 products of at most 255 * 127
 * stay below 2^27. So there is no order to keep, and neither tile nor build nor engine changes an integer. Stand-ins for missing rows and panels, and the
 * order of instructions, are as in `tile.ts`.
 */

/** A number as a type: the number of parameters of a function type is a constant to AssemblyScript. */
type Count = (...parameters: u8[]) => void;

export function tileInt8<Rows extends Count, Panels extends Count>(
  sums: usize,
  sumsStep: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  panelStep: usize,
  fours: usize,
  first: bool,
): void {
  const last = rows - 1;
  let far = panel + panelStep;
  let a0 = a;
  let a1 = a + min<usize>(1, last) * aStride;
  let a2 = a + min<usize>(2, last) * aStride;
  let a3 = a + min<usize>(3, last) * aStride;
  let a4 = a + min<usize>(4, last) * aStride;
  let a5 = a + min<usize>(5, last) * aStride;
  let low0 = i32x4.splat(0);
  let low1 = i32x4.splat(0);
  let low2 = i32x4.splat(0);
  let low3 = i32x4.splat(0);
  let low4 = i32x4.splat(0);
  let low5 = i32x4.splat(0);
  let high0 = i32x4.splat(0);
  let high1 = i32x4.splat(0);
  let high2 = i32x4.splat(0);
  let high3 = i32x4.splat(0);
  let high4 = i32x4.splat(0);
  let high5 = i32x4.splat(0);
  let farLow0 = i32x4.splat(0);
  let farLow1 = i32x4.splat(0);
  let farLow2 = i32x4.splat(0);
  let farLow3 = i32x4.splat(0);
  let farLow4 = i32x4.splat(0);
  let farLow5 = i32x4.splat(0);
  let farHigh0 = i32x4.splat(0);
  let farHigh1 = i32x4.splat(0);
  let farHigh2 = i32x4.splat(0);
  let farHigh3 = i32x4.splat(0);
  let farHigh4 = i32x4.splat(0);
  let farHigh5 = i32x4.splat(0);
  for (;;) {
    let low = v128.load(panel);
    let high = v128.load(panel, 16);
    let farLow = low;
    let farHigh = high;
    let x: v128;
    if (lengthof<Panels>() > 1) {
      farLow = v128.load(far);
      farHigh = v128.load(far, 16);
    }
    x = v128.load32_splat(a0);
    low0 = addDot(low0, x, low);
    high0 = addDot(high0, x, high);
    if (lengthof<Panels>() > 1) {
      farLow0 = addDot(farLow0, x, farLow);
      farHigh0 = addDot(farHigh0, x, farHigh);
    }
    x = v128.load32_splat(a1);
    low1 = addDot(low1, x, low);
    high1 = addDot(high1, x, high);
    if (lengthof<Panels>() > 1) {
      farLow1 = addDot(farLow1, x, farLow);
      farHigh1 = addDot(farHigh1, x, farHigh);
    }
    x = v128.load32_splat(a2);
    low2 = addDot(low2, x, low);
    high2 = addDot(high2, x, high);
    if (lengthof<Panels>() > 1) {
      farLow2 = addDot(farLow2, x, farLow);
      farHigh2 = addDot(farHigh2, x, farHigh);
    }
    x = v128.load32_splat(a3);
    low3 = addDot(low3, x, low);
    high3 = addDot(high3, x, high);
    if (lengthof<Panels>() > 1) {
      farLow3 = addDot(farLow3, x, farLow);
      farHigh3 = addDot(farHigh3, x, farHigh);
    }
    if (lengthof<Rows>() > 4) {
      x = v128.load32_splat(a4);
      low4 = addDot(low4, x, low);
      high4 = addDot(high4, x, high);
      if (lengthof<Panels>() > 1) {
        farLow4 = addDot(farLow4, x, farLow);
        farHigh4 = addDot(farHigh4, x, farHigh);
      }
    }
    if (lengthof<Rows>() > 5) {
      x = v128.load32_splat(a5);
      low5 = addDot(low5, x, low);
      high5 = addDot(high5, x, high);
      if (lengthof<Panels>() > 1) {
        farLow5 = addDot(farLow5, x, farLow);
        farHigh5 = addDot(farHigh5, x, farHigh);
      }
    }

    low = v128.load(panel, 32);
    high = v128.load(panel, 48);
    if (lengthof<Panels>() > 1) {
      farLow = v128.load(far, 32);
      farHigh = v128.load(far, 48);
    }
    x = v128.load32_splat(a0, 4);
    low0 = addDot(low0, x, low);
    high0 = addDot(high0, x, high);
    if (lengthof<Panels>() > 1) {
      farLow0 = addDot(farLow0, x, farLow);
      farHigh0 = addDot(farHigh0, x, farHigh);
    }
    x = v128.load32_splat(a1, 4);
    low1 = addDot(low1, x, low);
    high1 = addDot(high1, x, high);
    if (lengthof<Panels>() > 1) {
      farLow1 = addDot(farLow1, x, farLow);
      farHigh1 = addDot(farHigh1, x, farHigh);
    }
    x = v128.load32_splat(a2, 4);
    low2 = addDot(low2, x, low);
    high2 = addDot(high2, x, high);
    if (lengthof<Panels>() > 1) {
      farLow2 = addDot(farLow2, x, farLow);
      farHigh2 = addDot(farHigh2, x, farHigh);
    }
    x = v128.load32_splat(a3, 4);
    low3 = addDot(low3, x, low);
    high3 = addDot(high3, x, high);
    if (lengthof<Panels>() > 1) {
      farLow3 = addDot(farLow3, x, farLow);
      farHigh3 = addDot(farHigh3, x, farHigh);
    }
    if (lengthof<Rows>() > 4) {
      x = v128.load32_splat(a4, 4);
      low4 = addDot(low4, x, low);
      high4 = addDot(high4, x, high);
      if (lengthof<Panels>() > 1) {
        farLow4 = addDot(farLow4, x, farLow);
        farHigh4 = addDot(farHigh4, x, farHigh);
      }
    }
    if (lengthof<Rows>() > 5) {
      x = v128.load32_splat(a5, 4);
      low5 = addDot(low5, x, low);
      high5 = addDot(high5, x, high);
      if (lengthof<Panels>() > 1) {
        farLow5 = addDot(farLow5, x, farLow);
        farHigh5 = addDot(farHigh5, x, farHigh);
      }
    }
    if (--fours === 0) break;
    panel += 64;
    if (lengthof<Panels>() > 1) far += 64;
    a0 += 8;
    a1 += 8;
    a2 += 8;
    a3 += 8;
    if (lengthof<Rows>() > 4) a4 += 8;
    if (lengthof<Rows>() > 5) a5 += 8;
  }
  const s0 = sums;
  const s1 = sums + (min<usize>(1, last) << 5);
  const s2 = sums + (min<usize>(2, last) << 5);
  const s3 = sums + (min<usize>(3, last) << 5);
  const s4 = sums + (min<usize>(4, last) << 5);
  const s5 = sums + (min<usize>(5, last) << 5);
  const f0 = s0 + sumsStep;
  const f1 = s1 + sumsStep;
  const f2 = s2 + sumsStep;
  const f3 = s3 + sumsStep;
  const f4 = s4 + sumsStep;
  const f5 = s5 + sumsStep;
  if (!first) {
    low0 = i32x4.add(v128.load(s0), low0);
    high0 = i32x4.add(v128.load(s0, 16), high0);
    if (lengthof<Panels>() > 1) {
      farLow0 = i32x4.add(v128.load(f0), farLow0);
      farHigh0 = i32x4.add(v128.load(f0, 16), farHigh0);
    }
    low1 = i32x4.add(v128.load(s1), low1);
    high1 = i32x4.add(v128.load(s1, 16), high1);
    if (lengthof<Panels>() > 1) {
      farLow1 = i32x4.add(v128.load(f1), farLow1);
      farHigh1 = i32x4.add(v128.load(f1, 16), farHigh1);
    }
    low2 = i32x4.add(v128.load(s2), low2);
    high2 = i32x4.add(v128.load(s2, 16), high2);
    if (lengthof<Panels>() > 1) {
      farLow2 = i32x4.add(v128.load(f2), farLow2);
      farHigh2 = i32x4.add(v128.load(f2, 16), farHigh2);
    }
    low3 = i32x4.add(v128.load(s3), low3);
    high3 = i32x4.add(v128.load(s3, 16), high3);
    if (lengthof<Panels>() > 1) {
      farLow3 = i32x4.add(v128.load(f3), farLow3);
      farHigh3 = i32x4.add(v128.load(f3, 16), farHigh3);
    }
    if (lengthof<Rows>() > 4) {
      low4 = i32x4.add(v128.load(s4), low4);
      high4 = i32x4.add(v128.load(s4, 16), high4);
      if (lengthof<Panels>() > 1) {
        farLow4 = i32x4.add(v128.load(f4), farLow4);
        farHigh4 = i32x4.add(v128.load(f4, 16), farHigh4);
      }
    }
    if (lengthof<Rows>() > 5) {
      low5 = i32x4.add(v128.load(s5), low5);
      high5 = i32x4.add(v128.load(s5, 16), high5);
      if (lengthof<Panels>() > 1) {
        farLow5 = i32x4.add(v128.load(f5), farLow5);
        farHigh5 = i32x4.add(v128.load(f5, 16), farHigh5);
      }
    }
  }
  v128.store(s0, low0);
  v128.store(s0, high0, 16);
  if (lengthof<Panels>() > 1) {
    v128.store(f0, farLow0);
    v128.store(f0, farHigh0, 16);
  }
  v128.store(s1, low1);
  v128.store(s1, high1, 16);
  if (lengthof<Panels>() > 1) {
    v128.store(f1, farLow1);
    v128.store(f1, farHigh1, 16);
  }
  v128.store(s2, low2);
  v128.store(s2, high2, 16);
  if (lengthof<Panels>() > 1) {
    v128.store(f2, farLow2);
    v128.store(f2, farHigh2, 16);
  }
  v128.store(s3, low3);
  v128.store(s3, high3, 16);
  if (lengthof<Panels>() > 1) {
    v128.store(f3, farLow3);
    v128.store(f3, farHigh3, 16);
  }
  if (lengthof<Rows>() > 4) {
    v128.store(s4, low4);
    v128.store(s4, high4, 16);
    if (lengthof<Panels>() > 1) {
      v128.store(f4, farLow4);
      v128.store(f4, farHigh4, 16);
    }
  }
  if (lengthof<Rows>() > 5) {
    v128.store(s5, low5);
    v128.store(s5, high5, 16);
    if (lengthof<Panels>() > 1) {
      v128.store(f5, farLow5);
      v128.store(f5, farHigh5, 16);
    }
  }
}

/** sum + x · weights, pairs of i16 lanes into each lane of i32. */
function addDot(sum: v128, x: v128, weights: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(x, weights), sum);
}
