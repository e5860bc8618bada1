/**
 * One head: out[r] = softmax over t of (scale * q[r] · key[t]), times value; query rows r of [rowBegin, rowEnd).
 *
 *   out          f32 [rows, columns] in column blocks of `tokens` rows (`tiles/column-block.ts`), the head's columns from `column` on
 *   q            f32 [tokens, headWidth]
 *   keyPanels    the keys [tokens, headWidth], 8 tokens side by side: k is headWidth, columns are tokens
 *   valuePanels  the values [tokens, headWidth], 8 columns side by side: k is tokens
 *   scratch      with b = min(rowEnd - rowBegin, ROW_BLOCK) and T = tokens rounded up to 8:
 *
 *                scores [b, T]  |  1 / sum [b], in room for ROW_BLOCK and whole cache lines  |  products of two panels [2, b, 8]
 *   tile         code of `tiles/family.ts`
 *
 * All three as `finishHeads` writes them; tokens at least 1. Rows go in blocks of ROW_BLOCK, whose scores stay in L2; the softmax is exact and in two
 * passes: the maximum is subtracted, exp summed in one fixed order, and 1 / sum multiplied in when the product with the values is
 * stored. Both products run in the order of `tiles/product.ts`, so the bytes of a row depend on that row, the keys and the values alone.
 * Scores of columns beyond `tokens` come from whatever the last key panel holds and are never used. `out` must not overlap the inputs.
 * Error, u = 2^-24: each probability within 2 |score error| + (tokens / 4 + 10) u relative, the score error that of `multiply`.
 */
import { expVectors } from "../simd/exp";
import { addLanes, largestLane, maskPartial } from "../simd/partial";
import { STORAGE_F32 } from "../simd/widen";
import { tilePanels } from "../tiles/family";
import { NUMBERS_BYTES, ROW_BLOCK, storeHead } from "../tiles/head-rows";
import { blockProduct, K_BLOCK, PANEL, PANEL_BYTES } from "../tiles/product";

export function attention(
  out: usize,
  q: usize,
  keyPanels: usize,
  valuePanels: usize,
  scratch: usize,
  tokens: usize,
  headWidth: usize,
  column: usize,
  scale: f32,
  rowBegin: usize,
  rowEnd: usize,
  tile: i32,
): void {
  const width = tilePanels(tile);
  const valuePanelCount = (headWidth + PANEL - 1) / PANEL;
  const keyPanelCount = (tokens + PANEL - 1) / PANEL;
  const scoreBytes = keyPanelCount * PANEL_BYTES;
  for (let begin = rowBegin; begin < rowEnd; begin += ROW_BLOCK) {
    const rows = min<usize>(ROW_BLOCK, rowEnd - begin);
    const inverseSums = scratch + rows * scoreBytes;
    const sums = inverseSums + NUMBERS_BYTES;
    const queries = q + ((begin * headWidth) << 2);
    for (let first: usize = 0; first < keyPanelCount; first += width) {
      const count = min<usize>(width, keyPanelCount - first);
      product(tile, sums, queries, headWidth << 2, rows, keyPanels, first, count, headWidth);
      for (let i: usize = 0; i < count; i++) {
        const target = scratch + (first + i) * PANEL_BYTES;
        storeScores(target, scoreBytes, sums + i * rows * PANEL_BYTES, rows, scale);
      }
    }
    exponentiate(scratch, scoreBytes, rows, tokens);
    invert(inverseSums, scratch, scoreBytes, rows, tokens);
    for (let first: usize = 0; first < valuePanelCount; first += width) {
      const count = min<usize>(width, valuePanelCount - first);
      product(tile, sums, scratch, scoreBytes, rows, valuePanels, first, count, tokens);
      for (let i: usize = 0; i < count; i++) {
        const n = (first + i) * PANEL;
        const columns = min<usize>(PANEL, headWidth - n);
        storeHead(out, tokens, begin, column + n, sums + i * rows * PANEL_BYTES, inverseSums, rows, columns);
      }
    }
  }
}

/** sums [count, rows, 8] = a [rows, k] times the panels [first, first + count). */
function product(
  tile: i32,
  sums: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panels: usize,
  first: usize,
  count: usize,
  k: usize,
): void {
  const panelStep = k * PANEL_BYTES;
  for (let begin: usize = 0; begin < k; begin += K_BLOCK) {
    const panel = panels + first * panelStep + begin * PANEL_BYTES;
    const depth = min<usize>(K_BLOCK, k - begin);
    const at = a + (begin << 2);
    blockProduct(tile, sums, 0, at, aStride, rows, panel, panelStep, count, STORAGE_F32, depth, begin === 0);
  }
}

function storeScores(scores: usize, stride: usize, sums: usize, rows: usize, scale: f32): void {
  const scales = f32x4.splat(scale);
  const end = sums + rows * PANEL_BYTES;
  for (; sums < end; sums += PANEL_BYTES, scores += stride) {
    v128.store(scores, f32x4.mul(v128.load(sums), scales));
    v128.store(scores, f32x4.mul(v128.load(sums, 16), scales), 16);
  }
}

/** Replaces rows of scores by exp(score - maximum of the row); lanes beyond `tokens` in the last vector become 0. */
function exponentiate(scores: usize, stride: usize, rows: usize, tokens: usize): void {
  const end = scores + rows * stride;
  const inTail = maskPartial(tokens & 3);
  const tail = (tokens & ~3) << 2;
  for (; scores < end; scores += stride) {
    expVectors(scores, scores, (tokens + 3) >> 2, largest(scores, tokens));
    if ((tokens & 3) !== 0) v128.store(scores + tail, v128.and(v128.load(scores + tail), inTail));
  }
}

/** The largest score of a row; NaN only where there is nothing else. */
function largest(scores: usize, tokens: usize): f32 {
  const lowest = f32x4.splat(-f32.MAX_VALUE);
  const fours = scores + ((tokens & ~15) << 2);
  const tail = scores + ((tokens & ~3) << 2);
  let a = v128.bitselect(v128.load(tail), lowest, maskPartial(tokens & 3));
  let b = lowest;
  let c = lowest;
  let d = lowest;
  let at = scores;
  for (; at < fours; at += 64) {
    a = f32x4.pmax(a, v128.load(at));
    b = f32x4.pmax(b, v128.load(at, 16));
    c = f32x4.pmax(c, v128.load(at, 32));
    d = f32x4.pmax(d, v128.load(at, 48));
  }
  for (; at < tail; at += 16) a = f32x4.pmax(a, v128.load(at));
  a = f32x4.pmax(f32x4.pmax(b, c), f32x4.pmax(d, a));
  return largestLane(a);
}

/**
 * inverseSums[r] = 1 / sum of row r, NaN when there is one in it. A row's sum is one chain of vectors in order, then its lanes: four rows side by side, the
 * last one standing in for those that are missing.
 */
function invert(inverseSums: usize, scores: usize, stride: usize, rows: usize, tokens: usize): void {
  const bytes = ((tokens + 3) & ~3) << 2;
  const last = rows - 1;
  for (let row: usize = 0; row < rows; row += 4) {
    let r0 = scores + row * stride;
    const r1 = scores + min<usize>(row + 1, last) * stride - r0;
    const r2 = scores + min<usize>(row + 2, last) * stride - r0;
    const r3 = scores + min<usize>(row + 3, last) * stride - r0;
    let t0 = f32x4.splat(0);
    let t1 = t0;
    let t2 = t0;
    let t3 = t0;
    for (const end = r0 + bytes; r0 < end; r0 += 16) {
      t0 = f32x4.add(t0, v128.load(r0));
      t1 = f32x4.add(t1, v128.load(r0 + r1));
      t2 = f32x4.add(t2, v128.load(r0 + r2));
      t3 = f32x4.add(t3, v128.load(r0 + r3));
    }
    const target = inverseSums + (row << 2);
    store<f32>(target, 1 / addLanes(t0));
    if (row + 1 < rows) store<f32>(target, 1 / addLanes(t1), 4);
    if (row + 2 < rows) store<f32>(target, 1 / addLanes(t2), 8);
    if (row + 3 < rows) store<f32>(target, 1 / addLanes(t3), 12);
  }
}
