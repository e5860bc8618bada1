/**
 * Products of 16-bit dots with half the multiplications: for four k of a row (a0 .. a3) and of a column (w0 .. w3)
 *
 *   (a0 + w2)(a2 + w0) + (a1 + w3)(a3 + w1) = a0 w0 + a1 w1 + a2 w2 + a3 w3  +  (a0 a2 + a1 a3)  +  (w0 w2 + w1 w3)
 *
 * (S. Winograd, "A new algorithm for inner product", 1968). What comes on the right is a number of the row and a number of the column: `quantise.ts`, `sum-int8.ts` and `row-int16.ts` add them up, and
 * they are taken away once, from complete sums. Two of four instructions are additions of 16 bits, which more units of a processor can do than multiply: on
 * Zen 4 a loop in registers does 107 GOP/s so and 93 by plain dots, with V8's revectorizer 214 and 186. |a + w| must fit into 16 bits; sums may wrap around, since what is left in the end does not.
 *
 *   sums    i32 [panels, rows, 8]           written when `first`, else added to; `sumsStep` bytes from panel to panel
 *   a       i16 [rows, k]                   `aStride` bytes from row to row
 *   panel   i16 [panels, k / 2, 8, 2]       `panelStep` bytes from panel to panel
 *   panels  1 or 2
 *   fours   k / 4, at least 1
 *
 * Rows and columns are in tiles as of `family.ts`, here 3x8, 2x16 or 3x16: two operands of each kind are held, so fewer accumulators fit. The loop over
 * rows is inside, so that a tile of 512 k does not pay for a call. Column by column, with both operands of all rows loaded before; four steps with an exit after
 * each, over which V8 moves no load (bench/lab/2026-11-28-crossed.md).
 */
import { tileRows } from "./family";
import { PANEL_BYTES } from "./product";

/** A number as a type, as in `family.ts`. */
type Count = (...parameters: u8[]) => void;
type One = (a: u8) => void;
type Two = (a: u8, b: u8) => void;
type Three = (a: u8, b: u8, c: u8) => void;

export function crossedProducts(
  tile: i32,
  sums: usize,
  sumsStep: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  panelStep: usize,
  panels: usize,
  fours: usize,
  first: bool,
): void {
  const height: usize = tileRows(tile) === 2 ? 2 : 3;
  const whole = rows - (rows % height);
  const rest = sums + whole * PANEL_BYTES;
  const restA = a + whole * aStride;
  if (panels === 1) {
    if (height === 2) crossed<Two, One>(sums, 0, a, aStride, whole, panel, 0, fours, first);
    else crossed<Three, One>(sums, 0, a, aStride, whole, panel, 0, fours, first);
    crossed<One, One>(rest, 0, restA, aStride, rows - whole, panel, 0, fours, first);
  } else {
    if (height === 2) crossed<Two, Two>(sums, sumsStep, a, aStride, whole, panel, panelStep, fours, first);
    else crossed<Three, Two>(sums, sumsStep, a, aStride, whole, panel, panelStep, fours, first);
    crossed<One, Two>(rest, sumsStep, restA, aStride, rows - whole, panel, panelStep, fours, first);
  }
}

/** `rows` is a multiple of Rows, and may be none. */
function crossed<Rows extends Count, Panels extends Count>(
  sums: usize,
  sumsStep: usize,
  rowsOfA: usize,
  aStride: usize,
  rows: usize,
  panelBegin: usize,
  panelStep: usize,
  fours: usize,
  first: bool,
): void {
  let x0a: v128, x0b: v128, wa: v128, wb: v128;
  let x1a = i32x4.splat(0);
  let x1b = x1a;
  let x2a = x1a;
  let x2b = x1a;
  for (const end = sums + rows * PANEL_BYTES; sums < end; ) {
    let a = rowsOfA;
    let a1 = a + aStride;
    let a2 = a1 + aStride;
    let panel = panelBegin;
    let far = panel + panelStep;
    let k = fours;
    let low0 = i32x4.splat(0);
    let low1 = i32x4.splat(0);
    let low2 = i32x4.splat(0);
    let high0 = i32x4.splat(0);
    let high1 = i32x4.splat(0);
    let high2 = i32x4.splat(0);
    let farLow0 = i32x4.splat(0);
    let farLow1 = i32x4.splat(0);
    let farLow2 = i32x4.splat(0);
    let farHigh0 = i32x4.splat(0);
    let farHigh1 = i32x4.splat(0);
    let farHigh2 = i32x4.splat(0);
    for (;;) {
      x0a = v128.load32_splat(a, 0);
      x0b = v128.load32_splat(a, 4);
      if (lengthof<Rows>() > 1) {
        x1a = v128.load32_splat(a1, 0);
        x1b = v128.load32_splat(a1, 4);
      }
      if (lengthof<Rows>() > 2) {
        x2a = v128.load32_splat(a2, 0);
        x2b = v128.load32_splat(a2, 4);
      }
      wa = v128.load(panel, 0);
      wb = v128.load(panel, 32);
      low0 = cross(x0a, x0b, wa, wb, low0);
      if (lengthof<Rows>() > 1) low1 = cross(x1a, x1b, wa, wb, low1);
      if (lengthof<Rows>() > 2) low2 = cross(x2a, x2b, wa, wb, low2);
      wa = v128.load(panel, 16);
      wb = v128.load(panel, 48);
      high0 = cross(x0a, x0b, wa, wb, high0);
      if (lengthof<Rows>() > 1) high1 = cross(x1a, x1b, wa, wb, high1);
      if (lengthof<Rows>() > 2) high2 = cross(x2a, x2b, wa, wb, high2);
      if (lengthof<Panels>() > 1) {
        wa = v128.load(far, 0);
        wb = v128.load(far, 32);
        farLow0 = cross(x0a, x0b, wa, wb, farLow0);
        if (lengthof<Rows>() > 1) farLow1 = cross(x1a, x1b, wa, wb, farLow1);
        if (lengthof<Rows>() > 2) farLow2 = cross(x2a, x2b, wa, wb, farLow2);
        wa = v128.load(far, 16);
        wb = v128.load(far, 48);
        farHigh0 = cross(x0a, x0b, wa, wb, farHigh0);
        if (lengthof<Rows>() > 1) farHigh1 = cross(x1a, x1b, wa, wb, farHigh1);
        if (lengthof<Rows>() > 2) farHigh2 = cross(x2a, x2b, wa, wb, farHigh2);
      }
      if (k === 1) break;

      x0a = v128.load32_splat(a, 8);
      x0b = v128.load32_splat(a, 12);
      if (lengthof<Rows>() > 1) {
        x1a = v128.load32_splat(a1, 8);
        x1b = v128.load32_splat(a1, 12);
      }
      if (lengthof<Rows>() > 2) {
        x2a = v128.load32_splat(a2, 8);
        x2b = v128.load32_splat(a2, 12);
      }
      wa = v128.load(panel, 64);
      wb = v128.load(panel, 96);
      low0 = cross(x0a, x0b, wa, wb, low0);
      if (lengthof<Rows>() > 1) low1 = cross(x1a, x1b, wa, wb, low1);
      if (lengthof<Rows>() > 2) low2 = cross(x2a, x2b, wa, wb, low2);
      wa = v128.load(panel, 80);
      wb = v128.load(panel, 112);
      high0 = cross(x0a, x0b, wa, wb, high0);
      if (lengthof<Rows>() > 1) high1 = cross(x1a, x1b, wa, wb, high1);
      if (lengthof<Rows>() > 2) high2 = cross(x2a, x2b, wa, wb, high2);
      if (lengthof<Panels>() > 1) {
        wa = v128.load(far, 64);
        wb = v128.load(far, 96);
        farLow0 = cross(x0a, x0b, wa, wb, farLow0);
        if (lengthof<Rows>() > 1) farLow1 = cross(x1a, x1b, wa, wb, farLow1);
        if (lengthof<Rows>() > 2) farLow2 = cross(x2a, x2b, wa, wb, farLow2);
        wa = v128.load(far, 80);
        wb = v128.load(far, 112);
        farHigh0 = cross(x0a, x0b, wa, wb, farHigh0);
        if (lengthof<Rows>() > 1) farHigh1 = cross(x1a, x1b, wa, wb, farHigh1);
        if (lengthof<Rows>() > 2) farHigh2 = cross(x2a, x2b, wa, wb, farHigh2);
      }
      if (k === 2) break;

      x0a = v128.load32_splat(a, 16);
      x0b = v128.load32_splat(a, 20);
      if (lengthof<Rows>() > 1) {
        x1a = v128.load32_splat(a1, 16);
        x1b = v128.load32_splat(a1, 20);
      }
      if (lengthof<Rows>() > 2) {
        x2a = v128.load32_splat(a2, 16);
        x2b = v128.load32_splat(a2, 20);
      }
      wa = v128.load(panel, 128);
      wb = v128.load(panel, 160);
      low0 = cross(x0a, x0b, wa, wb, low0);
      if (lengthof<Rows>() > 1) low1 = cross(x1a, x1b, wa, wb, low1);
      if (lengthof<Rows>() > 2) low2 = cross(x2a, x2b, wa, wb, low2);
      wa = v128.load(panel, 144);
      wb = v128.load(panel, 176);
      high0 = cross(x0a, x0b, wa, wb, high0);
      if (lengthof<Rows>() > 1) high1 = cross(x1a, x1b, wa, wb, high1);
      if (lengthof<Rows>() > 2) high2 = cross(x2a, x2b, wa, wb, high2);
      if (lengthof<Panels>() > 1) {
        wa = v128.load(far, 128);
        wb = v128.load(far, 160);
        farLow0 = cross(x0a, x0b, wa, wb, farLow0);
        if (lengthof<Rows>() > 1) farLow1 = cross(x1a, x1b, wa, wb, farLow1);
        if (lengthof<Rows>() > 2) farLow2 = cross(x2a, x2b, wa, wb, farLow2);
        wa = v128.load(far, 144);
        wb = v128.load(far, 176);
        farHigh0 = cross(x0a, x0b, wa, wb, farHigh0);
        if (lengthof<Rows>() > 1) farHigh1 = cross(x1a, x1b, wa, wb, farHigh1);
        if (lengthof<Rows>() > 2) farHigh2 = cross(x2a, x2b, wa, wb, farHigh2);
      }
      if (k === 3) break;

      x0a = v128.load32_splat(a, 24);
      x0b = v128.load32_splat(a, 28);
      if (lengthof<Rows>() > 1) {
        x1a = v128.load32_splat(a1, 24);
        x1b = v128.load32_splat(a1, 28);
      }
      if (lengthof<Rows>() > 2) {
        x2a = v128.load32_splat(a2, 24);
        x2b = v128.load32_splat(a2, 28);
      }
      wa = v128.load(panel, 192);
      wb = v128.load(panel, 224);
      low0 = cross(x0a, x0b, wa, wb, low0);
      if (lengthof<Rows>() > 1) low1 = cross(x1a, x1b, wa, wb, low1);
      if (lengthof<Rows>() > 2) low2 = cross(x2a, x2b, wa, wb, low2);
      wa = v128.load(panel, 208);
      wb = v128.load(panel, 240);
      high0 = cross(x0a, x0b, wa, wb, high0);
      if (lengthof<Rows>() > 1) high1 = cross(x1a, x1b, wa, wb, high1);
      if (lengthof<Rows>() > 2) high2 = cross(x2a, x2b, wa, wb, high2);
      if (lengthof<Panels>() > 1) {
        wa = v128.load(far, 192);
        wb = v128.load(far, 224);
        farLow0 = cross(x0a, x0b, wa, wb, farLow0);
        if (lengthof<Rows>() > 1) farLow1 = cross(x1a, x1b, wa, wb, farLow1);
        if (lengthof<Rows>() > 2) farLow2 = cross(x2a, x2b, wa, wb, farLow2);
        wa = v128.load(far, 208);
        wb = v128.load(far, 240);
        farHigh0 = cross(x0a, x0b, wa, wb, farHigh0);
        if (lengthof<Rows>() > 1) farHigh1 = cross(x1a, x1b, wa, wb, farHigh1);
        if (lengthof<Rows>() > 2) farHigh2 = cross(x2a, x2b, wa, wb, farHigh2);
      }
      k -= 4;
      if (k === 0) break;
      a += 32;
      if (lengthof<Rows>() > 1) a1 += 32;
      if (lengthof<Rows>() > 2) a2 += 32;
      panel += 256;
      if (lengthof<Panels>() > 1) far += 256;
    }
    store(sums, low0, high0, first);
    if (lengthof<Panels>() > 1) store(sums + sumsStep, farLow0, farHigh0, first);
    if (lengthof<Rows>() > 1) {
      store(sums + 32, low1, high1, first);
      if (lengthof<Panels>() > 1) store(sums + sumsStep + 32, farLow1, farHigh1, first);
    }
    if (lengthof<Rows>() > 2) {
      store(sums + 64, low2, high2, first);
      if (lengthof<Panels>() > 1) store(sums + sumsStep + 64, farLow2, farHigh2, first);
    }
    sums += (lengthof<Rows>() as usize) * PANEL_BYTES;
    rowsOfA += (lengthof<Rows>() as usize) * aStride;
  }
}

/** sum + (xa + wb)(xb + wa), of pairs of 16-bit lanes. */
function cross(xa: v128, xb: v128, wa: v128, wb: v128, sum: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(i16x8.add(xa, wb), i16x8.add(xb, wa)), sum);
}

function store(at: usize, low: v128, high: v128, first: bool): void {
  if (!first) {
    low = i32x4.add(v128.load(at), low);
    high = i32x4.add(v128.load(at, 16), high);
  }
  v128.store(at, low);
  v128.store(at, high, 16);
}
