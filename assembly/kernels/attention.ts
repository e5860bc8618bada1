/**
 * One head: out[r] = softmax over t of (scale * q[r] · key[t]), times value; query rows r of [rowBegin, rowEnd).
 *
 *   out          f32 [rows, headWidth], outStride
 *   q            f32 [rows, headWidth], qStride
 *   keyPanels    packPanels of the keys [tokens, headWidth]: k is headWidth, columns are tokens
 *   valuePanels  packColumns of the values [tokens, headWidth]: k is tokens, columns are headWidth
 *   scratch      with b = min(rowEnd - rowBegin, ROW_BLOCK) and T = tokens rounded up to 8:
 *
 *                scores [b, T]  |  1 / sum [b], in room for 2 * K_BLOCK * 8  |  products of two panels [2, b, 8]
 *   tile         code of `tiles/family.ts`
 *
 * Strides are elements from row to row; tokens at least 1. Rows go in blocks of ROW_BLOCK, whose scores stay in L2; the softmax is exact and in two
 * passes: the maximum is subtracted, exp summed in one fixed order, and 1 / sum multiplied in when the product with the values is
 * stored. Both products run in the order of `tiles/product.ts`, so the bytes of a row depend on that row, the keys and the values alone.
 * Scores of columns beyond `tokens` come from whatever the last key panel holds and are never used. `out` must not overlap the inputs.
 * Error, u = 2^-24: each probability within 2 |score error| + (tokens / 4 + 10) u relative, the score error that of `gemm`.
 */
import { expLanes } from "../simd/exp";
import { maskPartial, storePartial } from "../simd/partial";
import { STORAGE_F32 } from "../simd/widen";
import { tilePanels } from "../tiles/family";
import { PANEL, PANEL_BYTES, panelProduct, WIDENED_BYTES } from "../tiles/product";

/** A multiple of every tile height; 60 rows x 576 tokens of scores are 138 KB. Part of the ABI: it sizes `scratch`. */
const ROW_BLOCK: usize = 60;

export function attention(
  out: usize,
  q: usize,
  keyPanels: usize,
  valuePanels: usize,
  scratch: usize,
  tokens: usize,
  headWidth: usize,
  scale: f32,
  qStride: usize,
  outStride: usize,
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
    const sums = inverseSums + WIDENED_BYTES;
    const queries = q + ((begin * qStride) << 2);
    for (let first: usize = 0; first < keyPanelCount; first += width) {
      const count = min<usize>(width, keyPanelCount - first);
      const keys = keyPanels + first * headWidth * PANEL_BYTES;
      panelProduct(tile, sums, 0, queries, qStride << 2, rows, keys, count, STORAGE_F32, headWidth);
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
      const values = valuePanels + first * tokens * PANEL_BYTES;
      panelProduct(tile, sums, 0, scratch, scoreBytes, rows, values, count, STORAGE_F32, tokens);
      for (let i: usize = 0; i < count; i++) {
        const column = (first + i) * PANEL;
        const target = out + ((begin * outStride + column) << 2);
        const columns = min<usize>(PANEL, headWidth - column);
        storeOutputs(target, outStride << 2, sums + i * rows * PANEL_BYTES, inverseSums, rows, columns);
      }
    }
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

function storeOutputs(out: usize, stride: usize, sums: usize, inverseSums: usize, rows: usize, columns: usize): void {
  const low = min<usize>(4, columns);
  const end = sums + rows * PANEL_BYTES;
  for (; sums < end; sums += PANEL_BYTES, out += stride, inverseSums += 4) {
    const inverse = v128.load32_splat(inverseSums);
    storePartial(out, f32x4.mul(v128.load(sums), inverse), low);
    storePartial(out + 16, f32x4.mul(v128.load(sums, 16), inverse), columns - low);
  }
}
