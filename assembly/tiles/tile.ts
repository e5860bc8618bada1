/**
 * The register tiles of every product: sums[p, r, n] = or += sum over k of a[r, k] * panel[p, k, n], for up to `Rows` rows and one or two
 * panels of 8 columns. `T` says what is summed: f32; i32 of 8-bit operands kept as i16, where a k stands for two and there is an even number of them; u32 of such kept
 * as bytes, where a k stands for four.
 *
 *   sums    T [panels, rows of the call, 8]    written when `first`, else added to; `sumsStep` bytes from panel to panel
 *   a       f32 [rows, k], i16 [rows, k, 2] or i8 [rows, k, 4]                     `aStride` bytes from row to row
 *   panel   f32 [panels, k, 8], i16 [panels, k, 8, 2] or i8 [panels, k, 8, 4]      `panelStep` bytes from panel to panel
 *   rows    1 .. Rows; k >= 1
 *
 * Each f32 output is one chain of multiply-adds from zero, k ascending, then at most one addition to `sums`: its value depends neither on its place in a
 * tile nor on the tile. Integers have no order to keep: `i32x4.dot_i16x8_s` is exact for levels and weights of 8 bits, and 4096 products of at most
 * 255 * 127 stay below 2^27. With fewer rows the last one stands in for the missing, and with steps of 0 the first panel for the second: the
 * loop never branches, and stand-ins store the same bytes at the same place (all loads of `sums` come before all stores).
 *
 * k is unrolled twice with an exit in the middle: odd k needs no second loop, and V8 does not move the loads of the second step before the
 * first, which would spill. Of integers k is even: six rows are a fifth slower with an exit (6x8 67 GOP/s, 86 without; Zen 4, Node 24), fewer a
 * tenth faster (4x8 85 and 77, 5x16 with the revectorizer 175 and 155). Two rows are multiplied side by side, column by column: 92 GOP/s of 8 bits in a
 * loop of its own, 87 one after the other. What
 * V8's revectorizer needs to turn neighbours into 256 bits is in the order: the two halves of a panel row are loaded, multiplied and stored one
 * after the other, and nothing is stored before the last load.
 */
import { dot8 } from "../simd/dot8";
import { multiplyAdd } from "../simd/fma";

/** A number as a type: the number of parameters of a function type is a constant to AssemblyScript. */
type Count = (...parameters: u8[]) => void;

export function tile<T, Rows extends Count, Panels extends Count>(
  sums: usize,
  sumsStep: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  panelStep: usize,
  k: usize,
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
  let low0 = v128.splat<T>(0 as T);
  let low1 = v128.splat<T>(0 as T);
  let low2 = v128.splat<T>(0 as T);
  let low3 = v128.splat<T>(0 as T);
  let low4 = v128.splat<T>(0 as T);
  let low5 = v128.splat<T>(0 as T);
  let high0 = v128.splat<T>(0 as T);
  let high1 = v128.splat<T>(0 as T);
  let high2 = v128.splat<T>(0 as T);
  let high3 = v128.splat<T>(0 as T);
  let high4 = v128.splat<T>(0 as T);
  let high5 = v128.splat<T>(0 as T);
  let farLow0 = v128.splat<T>(0 as T);
  let farLow1 = v128.splat<T>(0 as T);
  let farLow2 = v128.splat<T>(0 as T);
  let farLow3 = v128.splat<T>(0 as T);
  let farLow4 = v128.splat<T>(0 as T);
  let farLow5 = v128.splat<T>(0 as T);
  let farHigh0 = v128.splat<T>(0 as T);
  let farHigh1 = v128.splat<T>(0 as T);
  let farHigh2 = v128.splat<T>(0 as T);
  let farHigh3 = v128.splat<T>(0 as T);
  let farHigh4 = v128.splat<T>(0 as T);
  let farHigh5 = v128.splat<T>(0 as T);
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
    if (lengthof<Rows>() === 2) {
      x = v128.load32_splat(a0);
      const y = v128.load32_splat(a1);
      low0 = addProduct<T>(x, low, low0);
      low1 = addProduct<T>(y, low, low1);
      high0 = addProduct<T>(x, high, high0);
      high1 = addProduct<T>(y, high, high1);
      if (lengthof<Panels>() > 1) {
        farLow0 = addProduct<T>(x, farLow, farLow0);
        farLow1 = addProduct<T>(y, farLow, farLow1);
        farHigh0 = addProduct<T>(x, farHigh, farHigh0);
        farHigh1 = addProduct<T>(y, farHigh, farHigh1);
      }
    } else {
      x = v128.load32_splat(a0);
      low0 = addProduct<T>(x, low, low0);
      high0 = addProduct<T>(x, high, high0);
      if (lengthof<Panels>() > 1) {
        farLow0 = addProduct<T>(x, farLow, farLow0);
        farHigh0 = addProduct<T>(x, farHigh, farHigh0);
      }
      x = v128.load32_splat(a1);
      low1 = addProduct<T>(x, low, low1);
      high1 = addProduct<T>(x, high, high1);
      if (lengthof<Panels>() > 1) {
        farLow1 = addProduct<T>(x, farLow, farLow1);
        farHigh1 = addProduct<T>(x, farHigh, farHigh1);
      }
    }
    if (lengthof<Rows>() > 2) {
      x = v128.load32_splat(a2);
      low2 = addProduct<T>(x, low, low2);
      high2 = addProduct<T>(x, high, high2);
      if (lengthof<Panels>() > 1) {
        farLow2 = addProduct<T>(x, farLow, farLow2);
        farHigh2 = addProduct<T>(x, farHigh, farHigh2);
      }
      x = v128.load32_splat(a3);
      low3 = addProduct<T>(x, low, low3);
      high3 = addProduct<T>(x, high, high3);
      if (lengthof<Panels>() > 1) {
        farLow3 = addProduct<T>(x, farLow, farLow3);
        farHigh3 = addProduct<T>(x, farHigh, farHigh3);
      }
    }
    if (lengthof<Rows>() > 4) {
      x = v128.load32_splat(a4);
      low4 = addProduct<T>(x, low, low4);
      high4 = addProduct<T>(x, high, high4);
      if (lengthof<Panels>() > 1) {
        farLow4 = addProduct<T>(x, farLow, farLow4);
        farHigh4 = addProduct<T>(x, farHigh, farHigh4);
      }
    }
    if (lengthof<Rows>() > 5) {
      x = v128.load32_splat(a5);
      low5 = addProduct<T>(x, low, low5);
      high5 = addProduct<T>(x, high, high5);
      if (lengthof<Panels>() > 1) {
        farLow5 = addProduct<T>(x, farLow, farLow5);
        farHigh5 = addProduct<T>(x, farHigh, farHigh5);
      }
    }
    if ((isFloat<T>() || !isSigned<T>() || lengthof<Rows>() < 6) && k === 1) break;

    low = v128.load(panel, 32);
    high = v128.load(panel, 48);
    if (lengthof<Panels>() > 1) {
      farLow = v128.load(far, 32);
      farHigh = v128.load(far, 48);
    }
    if (lengthof<Rows>() === 2) {
      x = v128.load32_splat(a0, 4);
      const y = v128.load32_splat(a1, 4);
      low0 = addProduct<T>(x, low, low0);
      low1 = addProduct<T>(y, low, low1);
      high0 = addProduct<T>(x, high, high0);
      high1 = addProduct<T>(y, high, high1);
      if (lengthof<Panels>() > 1) {
        farLow0 = addProduct<T>(x, farLow, farLow0);
        farLow1 = addProduct<T>(y, farLow, farLow1);
        farHigh0 = addProduct<T>(x, farHigh, farHigh0);
        farHigh1 = addProduct<T>(y, farHigh, farHigh1);
      }
    } else {
      x = v128.load32_splat(a0, 4);
      low0 = addProduct<T>(x, low, low0);
      high0 = addProduct<T>(x, high, high0);
      if (lengthof<Panels>() > 1) {
        farLow0 = addProduct<T>(x, farLow, farLow0);
        farHigh0 = addProduct<T>(x, farHigh, farHigh0);
      }
      x = v128.load32_splat(a1, 4);
      low1 = addProduct<T>(x, low, low1);
      high1 = addProduct<T>(x, high, high1);
      if (lengthof<Panels>() > 1) {
        farLow1 = addProduct<T>(x, farLow, farLow1);
        farHigh1 = addProduct<T>(x, farHigh, farHigh1);
      }
    }
    if (lengthof<Rows>() > 2) {
      x = v128.load32_splat(a2, 4);
      low2 = addProduct<T>(x, low, low2);
      high2 = addProduct<T>(x, high, high2);
      if (lengthof<Panels>() > 1) {
        farLow2 = addProduct<T>(x, farLow, farLow2);
        farHigh2 = addProduct<T>(x, farHigh, farHigh2);
      }
      x = v128.load32_splat(a3, 4);
      low3 = addProduct<T>(x, low, low3);
      high3 = addProduct<T>(x, high, high3);
      if (lengthof<Panels>() > 1) {
        farLow3 = addProduct<T>(x, farLow, farLow3);
        farHigh3 = addProduct<T>(x, farHigh, farHigh3);
      }
    }
    if (lengthof<Rows>() > 4) {
      x = v128.load32_splat(a4, 4);
      low4 = addProduct<T>(x, low, low4);
      high4 = addProduct<T>(x, high, high4);
      if (lengthof<Panels>() > 1) {
        farLow4 = addProduct<T>(x, farLow, farLow4);
        farHigh4 = addProduct<T>(x, farHigh, farHigh4);
      }
    }
    if (lengthof<Rows>() > 5) {
      x = v128.load32_splat(a5, 4);
      low5 = addProduct<T>(x, low, low5);
      high5 = addProduct<T>(x, high, high5);
      if (lengthof<Panels>() > 1) {
        farLow5 = addProduct<T>(x, farLow, farLow5);
        farHigh5 = addProduct<T>(x, farHigh, farHigh5);
      }
    }
    k -= 2;
    if (k === 0) break;
    panel += 64;
    if (lengthof<Panels>() > 1) far += 64;
    a0 += 8;
    a1 += 8;
    if (lengthof<Rows>() > 2) a2 += 8;
    if (lengthof<Rows>() > 2) a3 += 8;
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
    low0 = v128.add<T>(v128.load(s0), low0);
    high0 = v128.add<T>(v128.load(s0, 16), high0);
    if (lengthof<Panels>() > 1) {
      farLow0 = v128.add<T>(v128.load(f0), farLow0);
      farHigh0 = v128.add<T>(v128.load(f0, 16), farHigh0);
    }
    low1 = v128.add<T>(v128.load(s1), low1);
    high1 = v128.add<T>(v128.load(s1, 16), high1);
    if (lengthof<Panels>() > 1) {
      farLow1 = v128.add<T>(v128.load(f1), farLow1);
      farHigh1 = v128.add<T>(v128.load(f1, 16), farHigh1);
    }
    if (lengthof<Rows>() > 2) {
      low2 = v128.add<T>(v128.load(s2), low2);
      high2 = v128.add<T>(v128.load(s2, 16), high2);
      if (lengthof<Panels>() > 1) {
        farLow2 = v128.add<T>(v128.load(f2), farLow2);
        farHigh2 = v128.add<T>(v128.load(f2, 16), farHigh2);
      }
      low3 = v128.add<T>(v128.load(s3), low3);
      high3 = v128.add<T>(v128.load(s3, 16), high3);
      if (lengthof<Panels>() > 1) {
        farLow3 = v128.add<T>(v128.load(f3), farLow3);
        farHigh3 = v128.add<T>(v128.load(f3, 16), farHigh3);
      }
    }
    if (lengthof<Rows>() > 4) {
      low4 = v128.add<T>(v128.load(s4), low4);
      high4 = v128.add<T>(v128.load(s4, 16), high4);
      if (lengthof<Panels>() > 1) {
        farLow4 = v128.add<T>(v128.load(f4), farLow4);
        farHigh4 = v128.add<T>(v128.load(f4, 16), farHigh4);
      }
    }
    if (lengthof<Rows>() > 5) {
      low5 = v128.add<T>(v128.load(s5), low5);
      high5 = v128.add<T>(v128.load(s5, 16), high5);
      if (lengthof<Panels>() > 1) {
        farLow5 = v128.add<T>(v128.load(f5), farLow5);
        farHigh5 = v128.add<T>(v128.load(f5, 16), farHigh5);
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
  if (lengthof<Rows>() > 2) {
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

/** sum + x · w, lane by lane, or of pairs of i16 lanes, or of fours of 8-bit lanes. */
function addProduct<T>(x: v128, w: v128, sum: v128): v128 {
  if (isFloat<T>()) return multiplyAdd(x, w, sum);
  if (!isSigned<T>()) return dot8(w, x, sum);
  return i32x4.add(i32x4.dot_i16x8_s(x, w), sum);
}
