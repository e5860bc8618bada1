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
import { expLanes } from "../simd/exp";
import { maskPartial, storePartial } from "../simd/partial";
import { STORAGE_F32 } from "../simd/widen";
import { elementAt, ROW_BYTES } from "../tiles/column-block";
import { tilePanels } from "../tiles/family";
import { blockProduct, K_BLOCK, PANEL, PANEL_BYTES } from "../tiles/product";

/** A multiple of every tile height; 60 rows x 576 tokens of scores are 138 KB. Part of the ABI: it sizes `scratch`. */
const ROW_BLOCK: usize = 60;

/** Bytes of 1 / sum of a block of rows, whole cache lines. */
const INVERSE_BYTES: usize = (ROW_BLOCK * 4 + 63) & ~63;

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
    const sums = inverseSums + INVERSE_BYTES;
    const queries = q + ((begin * headWidth) << 2);
    for (let first: usize = 0; first < keyPanelCount; first += width) {
      const count = min<usize>(width, keyPanelCount - first);
      product(tile, sums, queries, headWidth << 2, rows, keyPanels, first, count, headWidth);
      for (let i: usize = 0; i < count; i++) {
        const target = scratch + (first + i) * PANEL_BYTES;
        storeScores(target, scoreBytes, sums + i * rows * PANEL_BYTES, rows, scale);
      }
    }
    for (let row: usize = 0; row < rows; row++) {
      store<f32>(inverseSums + (row << 2), 1 / exponentiate(scratch + row * scoreBytes, tokens));
    }
    for (let first: usize = 0; first < valuePanelCount; first += width) {
      const count = min<usize>(width, valuePanelCount - first);
      product(tile, sums, scratch, scoreBytes, rows, valuePanels, first, count, tokens);
      for (let i: usize = 0; i < count; i++) {
        const n = (first + i) * PANEL;
        const columns = min<usize>(PANEL, headWidth - n);
        storeOutputs(out, tokens, begin, column + n, sums + i * rows * PANEL_BYTES, inverseSums, rows, columns);
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

/** Replaces a row of scores by exp(score - maximum) and returns their sum. A NaN among the scores makes the sum NaN. */
function exponentiate(scores: usize, tokens: usize): f32 {
  const whole = tokens & ~3;
  const tail = scores + (whole << 2);
  const inTail = maskPartial(tokens - whole);
  const lowest = f32x4.splat(-f32.MAX_VALUE);
  let maxima = v128.bitselect(v128.load(tail), lowest, inTail);
  for (let at = scores; at < tail; at += 16) maxima = f32x4.pmax(maxima, v128.load(at));
  maxima = f32x4.pmax(maxima, i8x16.shuffle(maxima, maxima, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  maxima = f32x4.pmax(maxima, i8x16.shuffle(maxima, maxima, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));

  let total = f32x4.splat(0);
  for (let at = scores; at < tail; at += 16) {
    const value = expLanes(f32x4.sub(v128.load(at), maxima));
    v128.store(at, value);
    total = f32x4.add(total, value);
  }
  if (whole < tokens) {
    const value = v128.and(expLanes(f32x4.sub(v128.load(tail), maxima)), inTail);
    v128.store(tail, value);
    total = f32x4.add(total, value);
  }
  return (
    f32x4.extract_lane(total, 0) +
    f32x4.extract_lane(total, 1) +
    (f32x4.extract_lane(total, 2) + f32x4.extract_lane(total, 3))
  );
}

/** Rows of a panel times 1 / sum, to the columns from `column` on; four lanes at a time where they do not cross a column block. */
function storeOutputs(
  out: usize,
  tokens: usize,
  row: usize,
  column: usize,
  sums: usize,
  inverseSums: usize,
  rows: usize,
  columns: usize,
): void {
  const low = min<usize>(4, columns);
  const end = sums + rows * PANEL_BYTES;
  if (column % 4 === 0) {
    let target = elementAt(out, tokens, row, column);
    let farTarget = elementAt(out, tokens, row, column + 4);
    for (; sums < end; sums += PANEL_BYTES, inverseSums += 4) {
      const inverse = v128.load32_splat(inverseSums);
      storePartial(target, f32x4.mul(v128.load(sums), inverse), low);
      storePartial(farTarget, f32x4.mul(v128.load(sums, 16), inverse), columns - low);
      target += ROW_BYTES;
      farTarget += ROW_BYTES;
    }
  } else {
    for (; sums < end; sums += PANEL_BYTES, inverseSums += 4, row++) {
      const inverse = load<f32>(inverseSums);
      for (let n: usize = 0; n < columns; n++)
        store<f32>(elementAt(out, tokens, row, column + n), load<f32>(sums + (n << 2)) * inverse);
    }
  }
}
