/**
 * `attention` by products of 16 bits: one head, out[r] = softmax over t of (scale * q[r] · key[t]), times value; query rows r of [rowBegin, rowEnd).
 *
 *   out          f32 [rows, columns] in column blocks of `tokens` rows (`tiles/column-block.ts`), the head's columns from `column` on
 *   q            f32 [tokens, headWidth], of which this makes levels, each row by its own range
 *   keyPanels    the keys [tokens, headWidth] as levels in panels (`tiles/row-int16.ts`), 8 tokens side by side: k is headWidth
 *   valuePanels  the values [tokens, headWidth] in the same way, 8 columns side by side: k is tokens
 *   scratch      with b = min(rowEnd - rowBegin, ROW_BLOCK), K and T the headWidth and the tokens rounded up to 16:
 *
 *                scales, terms and 1 / sum of the rows, each in room for ROW_BLOCK and whole cache lines  |  i32 [2, b, 8]  |  i16 [b, K]  |  f32 [b, T]
 *   form         that of the levels of 8-bit products: CROSSED takes dots of sums, all others plain ones
 *   levels       of a query: the dot product of a query and a key stays below 2^31; at most 16383
 *   tile         code of `tiles/family.ts`, of 8-bit products
 *
 * Keys and values as `quantisePanels` writes them in the same form, values below 2^100; levels of values times 4097 * tokens below 2^31. Rows go in blocks of ROW_BLOCK, whose scores stay in L2. Scores are floats,
 * logarithms to base 2; numerators have 12 bits (`simd/powers.ts`), their sum is that of the levels. Integers are exact, so form, tile and range give the same
 * bytes, those of plain builds on every engine. What is not finite in a query makes its row NaN, in a key all rows, in a value its column. `out` must not overlap the inputs.
 *
 * Error: with e the error of a score, which is half a scale of the query times the sum of |key| and the other way round, a numerator is off by 2^-12 * 0.81 + (e + 1e-4) of itself, a value by half its scale.
 */
import { CROSSED } from "../simd/level";
import { addLanes, largestLane, maskPartial } from "../simd/partial";
import { powers } from "../simd/powers";
import { crossedProducts } from "../tiles/crossed";
import { tilePanels } from "../tiles/family";
import { NUMBERS_BYTES, ROW_BLOCK, storeHead } from "../tiles/head-rows";
import { PANEL, PANEL_BYTES, rowProducts } from "../tiles/product";
import { GROUP, groups, int16PanelBytes, quantiseRow, rowBytes, rowTerm, scalesOf } from "../tiles/row-int16";

const LOG2_E: f32 = Math.LOG2E as f32;

export function attentionInt16(
  out: usize,
  q: usize,
  keyPanels: usize,
  valuePanels: usize,
  scratch: usize,
  form: i32,
  tokens: usize,
  headWidth: usize,
  column: usize,
  scale: f32,
  levels: f32,
  rowBegin: usize,
  rowEnd: usize,
  tile: i32,
): void {
  const width = tilePanels(tile);
  const keyStep = int16PanelBytes(headWidth);
  const valueStep = int16PanelBytes(tokens);
  const queryBytes = rowBytes(headWidth);
  const powerBytes = rowBytes(tokens);
  const scoreBytes = powerBytes << 1;
  const scales = scratch;
  const terms = scales + NUMBERS_BYTES;
  const inverseSums = terms + NUMBERS_BYTES;
  const sums = inverseSums + NUMBERS_BYTES;
  const wrong = wrongKeys(keyPanels, headWidth, tokens);
  for (let begin = rowBegin; begin < rowEnd; begin += ROW_BLOCK) {
    const rows = min<usize>(ROW_BLOCK, rowEnd - begin);
    const step = rows * PANEL_BYTES;
    const queries = sums + 2 * step;
    const scores = queries + rows * queryBytes;
    for (let row: usize = 0; row < rows; row++) {
      const at = queries + row * queryBytes;
      const own = quantiseRow(at, q + (((begin + row) * headWidth) << 2), headWidth, levels);
      store<f32>(scales + (row << 2), own * (scale * LOG2_E));
      store<i32>(terms + (row << 2), form === CROSSED ? rowTerm(at, headWidth) : 0);
    }
    for (let token: usize = 0; token < tokens; token += width * PANEL) {
      const count = min<usize>(width, (tokens - token + (PANEL - 1)) / PANEL);
      let panel = keyPanels + (token / PANEL) * keyStep;
      product(form, tile, sums, queries, queryBytes, rows, panel, keyStep, count, headWidth);
      for (let i: usize = 0; i < count; i++, panel += keyStep) {
        const target = scores + ((token + i * PANEL) << 2);
        storeScores(target, scoreBytes, sums + i * step, rows, scales, terms, scalesOf(panel, headWidth));
      }
    }
    for (let row: usize = 0; row < rows; row++) {
      // Levels of a row end where its scores begin, or before.
      const source = scores + row * scoreBytes;
      const at = scores + row * powerBytes;
      const most = largest(source, tokens);
      const sum = powers(at, source, groups(tokens), most);
      const poison: f32 = 0 * (most + load<f32>(scales + (row << 2)) + wrong);
      store<f32>(inverseSums + (row << 2), 1 / (sum as f32) + poison);
      store<i32>(terms + (row << 2), form === CROSSED ? rowTerm(at, tokens) : 0);
    }
    for (let n: usize = 0; n < headWidth; n += width * PANEL) {
      const count = min<usize>(width, (headWidth - n + (PANEL - 1)) / PANEL);
      let panel = valuePanels + (n / PANEL) * valueStep;
      product(form, tile, sums, scores, powerBytes, rows, panel, valueStep, count, tokens);
      for (let i: usize = 0; i < count; i++, panel += valueStep) {
        const at = sums + i * step;
        const first = n + i * PANEL;
        finishSums(at, at + step, terms, scalesOf(panel, tokens));
        storeHead(out, tokens, begin, column + first, at, inverseSums, rows, min<usize>(PANEL, headWidth - first));
      }
    }
  }
}

/** sums i32 [count, rows, 8] = a [rows, k] times `count` panels. */
function product(
  form: i32,
  tile: i32,
  sums: usize,
  a: usize,
  aStride: usize,
  rows: usize,
  panel: usize,
  panelStep: usize,
  count: usize,
  k: usize,
): void {
  const pairs = (groups(k) * GROUP) / 2;
  const step = rows * PANEL_BYTES;
  if (form === CROSSED) {
    crossedProducts(tile, sums, step, a, aStride, rows, panel, panelStep, count, pairs / 2, true);
  } else {
    const second = count - 1;
    rowProducts<i32>(tile, sums, second * step, a, aStride, rows, panel, second * panelStep, pairs, true);
  }
}

/** The sums of a panel without the terms, times the scales of rows and columns; a row of scores is `stride` bytes. */
function storeScores(
  scores: usize,
  stride: usize,
  sums: usize,
  rows: usize,
  scale: usize,
  term: usize,
  columns: usize,
): void {
  const lowScale = v128.load(columns);
  const highScale = v128.load(columns, 16);
  const lowTerm = v128.load(columns, PANEL_BYTES);
  const highTerm = v128.load(columns, PANEL_BYTES + 16);
  const end = sums + rows * PANEL_BYTES;
  for (; sums < end; sums += PANEL_BYTES, scores += stride, scale += 4, term += 4) {
    const s = v128.load32_splat(scale);
    const t = v128.load32_splat(term);
    const low = i32x4.sub(v128.load(sums), i32x4.add(t, lowTerm));
    const high = i32x4.sub(v128.load(sums, 16), i32x4.add(t, highTerm));
    v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(low), f32x4.mul(s, lowScale)));
    v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(high), f32x4.mul(s, highScale)), 16);
  }
}

/** The same in place, of columns alone. */
function finishSums(sums: usize, end: usize, term: usize, columns: usize): void {
  const lowScale = v128.load(columns);
  const highScale = v128.load(columns, 16);
  const lowTerm = v128.load(columns, PANEL_BYTES);
  const highTerm = v128.load(columns, PANEL_BYTES + 16);
  for (; sums < end; sums += PANEL_BYTES, term += 4) {
    const t = v128.load32_splat(term);
    const low = i32x4.sub(v128.load(sums), i32x4.add(t, lowTerm));
    const high = i32x4.sub(v128.load(sums, 16), i32x4.add(t, highTerm));
    v128.store(sums, f32x4.mul(f32x4.convert_i32x4_s(low), lowScale));
    v128.store(sums, f32x4.mul(f32x4.convert_i32x4_s(high), highScale), 16);
  }
}

/** The largest score of a row; those beyond `tokens` in the last group become the lowest there is. */
function largest(scores: usize, tokens: usize): f32 {
  const end = scores + ((groups(tokens) * GROUP) << 2);
  for (let at = scores + (tokens << 2); at < end; at += 4) store<f32>(at, -f32.MAX_VALUE);
  let a = f32x4.splat(-f32.MAX_VALUE);
  let b = a;
  let c = a;
  let d = a;
  for (; scores < end; scores += 64) {
    a = f32x4.pmax(a, v128.load(scores));
    b = f32x4.pmax(b, v128.load(scores, 16));
    c = f32x4.pmax(c, v128.load(scores, 32));
    d = f32x4.pmax(d, v128.load(scores, 48));
  }
  return largestLane(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
}

/** NaN where the scale of a token is, else nothing. */
function wrongKeys(panel: usize, headWidth: usize, tokens: usize): f32 {
  const step = int16PanelBytes(headWidth);
  const zero = f32x4.splat(0);
  let wrong = zero;
  for (let at = scalesOf(panel, headWidth), left = tokens; ; at += step, left -= PANEL) {
    const low = f32x4.mul(v128.load(at), zero);
    const high = f32x4.mul(v128.load(at, 16), zero);
    wrong = f32x4.add(wrong, v128.and(low, maskPartial(left)));
    if (left > 4) wrong = f32x4.add(wrong, v128.and(high, maskPartial(left - 4)));
    if (left <= PANEL) break;
  }
  return addLanes(wrong);
}
