/**
 * The register tile of every product: sums[r, n] += sum over k of a[r, k] * panel[k, n], for TILE_ROWS rows and 8 columns.
 *
 *   sums   f32 [rows, 8]       added to
 *   a      f32 [rows, k]       `aStride` bytes from row to row
 *   panel  f32 [k, 8]
 *   rows   1 .. TILE_ROWS; k >= 1
 *
 * Each of the 8 x TILE_ROWS outputs is one chain of multiply-adds from zero, k ascending, then one addition to `sums`: the value of an
 * output does not depend on its place in a tile. With fewer rows the last one stands in for the missing: the loop never
 * branches on rows, and the stand-ins store the same bytes at the same place (all loads of `sums` come before all stores).
 *
 * k is unrolled twice with an exit in the middle, so that odd k needs no second loop.
 */
import { multiplyAdd, TILE_ROWS } from "../simd/fma";

export function tile(sums: usize, a: usize, aStride: usize, rows: usize, panel: usize, k: usize): void {
  const last = rows - 1;
  let a0 = a;
  let a1 = a + min<usize>(1, last) * aStride;
  let a2 = a + min<usize>(2, last) * aStride;
  let a3 = a + min<usize>(3, last) * aStride;
  let a4 = a + min<usize>(4, last) * aStride;
  let a5 = a + min<usize>(5, last) * aStride;
  let low0 = f32x4.splat(0);
  let low1 = f32x4.splat(0);
  let low2 = f32x4.splat(0);
  let low3 = f32x4.splat(0);
  let low4 = f32x4.splat(0);
  let low5 = f32x4.splat(0);
  let high0 = f32x4.splat(0);
  let high1 = f32x4.splat(0);
  let high2 = f32x4.splat(0);
  let high3 = f32x4.splat(0);
  let high4 = f32x4.splat(0);
  let high5 = f32x4.splat(0);
  for (;;) {
    let low = v128.load(panel);
    let high = v128.load(panel, 16);
    let x = v128.load32_splat(a0);
    low0 = multiplyAdd(x, low, low0);
    high0 = multiplyAdd(x, high, high0);
    x = v128.load32_splat(a1);
    low1 = multiplyAdd(x, low, low1);
    high1 = multiplyAdd(x, high, high1);
    x = v128.load32_splat(a2);
    low2 = multiplyAdd(x, low, low2);
    high2 = multiplyAdd(x, high, high2);
    x = v128.load32_splat(a3);
    low3 = multiplyAdd(x, low, low3);
    high3 = multiplyAdd(x, high, high3);
    if (TILE_ROWS === 6) {
      x = v128.load32_splat(a4);
      low4 = multiplyAdd(x, low, low4);
      high4 = multiplyAdd(x, high, high4);
      x = v128.load32_splat(a5);
      low5 = multiplyAdd(x, low, low5);
      high5 = multiplyAdd(x, high, high5);
    }
    if (k === 1) break;

    low = v128.load(panel, 32);
    high = v128.load(panel, 48);
    x = v128.load32_splat(a0, 4);
    low0 = multiplyAdd(x, low, low0);
    high0 = multiplyAdd(x, high, high0);
    x = v128.load32_splat(a1, 4);
    low1 = multiplyAdd(x, low, low1);
    high1 = multiplyAdd(x, high, high1);
    x = v128.load32_splat(a2, 4);
    low2 = multiplyAdd(x, low, low2);
    high2 = multiplyAdd(x, high, high2);
    x = v128.load32_splat(a3, 4);
    low3 = multiplyAdd(x, low, low3);
    high3 = multiplyAdd(x, high, high3);
    if (TILE_ROWS === 6) {
      x = v128.load32_splat(a4, 4);
      low4 = multiplyAdd(x, low, low4);
      high4 = multiplyAdd(x, high, high4);
      x = v128.load32_splat(a5, 4);
      low5 = multiplyAdd(x, low, low5);
      high5 = multiplyAdd(x, high, high5);
    }
    k -= 2;
    if (k === 0) break;
    panel += 64;
    a0 += 8;
    a1 += 8;
    a2 += 8;
    a3 += 8;
    if (TILE_ROWS === 6) {
      a4 += 8;
      a5 += 8;
    }
  }
  const s1 = sums + (min<usize>(1, last) << 5);
  const s2 = sums + (min<usize>(2, last) << 5);
  const s3 = sums + (min<usize>(3, last) << 5);
  low0 = f32x4.add(v128.load(sums), low0);
  low1 = f32x4.add(v128.load(s1), low1);
  low2 = f32x4.add(v128.load(s2), low2);
  low3 = f32x4.add(v128.load(s3), low3);
  high0 = f32x4.add(v128.load(sums, 16), high0);
  high1 = f32x4.add(v128.load(s1, 16), high1);
  high2 = f32x4.add(v128.load(s2, 16), high2);
  high3 = f32x4.add(v128.load(s3, 16), high3);
  if (TILE_ROWS === 6) {
    const s4 = sums + (min<usize>(4, last) << 5);
    const s5 = sums + (min<usize>(5, last) << 5);
    low4 = f32x4.add(v128.load(s4), low4);
    high4 = f32x4.add(v128.load(s4, 16), high4);
    low5 = f32x4.add(v128.load(s5), low5);
    high5 = f32x4.add(v128.load(s5, 16), high5);
    v128.store(s4, low4);
    v128.store(s4, high4, 16);
    v128.store(s5, low5);
    v128.store(s5, high5, 16);
  }
  v128.store(sums, low0);
  v128.store(sums, high0, 16);
  v128.store(s1, low1);
  v128.store(s1, high1, 16);
  v128.store(s2, low2);
  v128.store(s2, high2, 16);
  v128.store(s3, low3);
  v128.store(s3, high3, 16);
}
