/**
 * One block of k of an 8-bit product: partial[p, r, n] = or += sum over k in [kBegin, kBegin + block) of a[r, k] * w[8p + n, k] in 32-bit integers, for rows
 * [rowBegin, rowEnd) and the panels [panelBegin, panelEnd); with the last block f32, times scale[r] * weightScale[8p + n].
 *
 *   partial      i32 [panelEnd - panelBegin, rowEnd - rowBegin, 8]   written when kBegin is 0, else added to; f32 in the end
 *   a            levels [rows, k] as `quantise.ts` keeps them: forms 0 and 3 i16, by 16-bit dots, a block is LEVEL_BLOCK columns; forms 1 and 2 bytes, by the fused 8-bit dot,
 *                BYTE_BLOCK columns. What is beyond k up to the next multiple of 4 is read, and multiplied by zero; of form 3 it must be zero
 *   panels       w [columns, k] i8, laid out by `tiles/panel-int8.ts`; for bytes from -127 on: two products of -128 by -128 are more than 16 bits hold, which is where ARM
 *                without its dot instruction adds them
 *   scratch      INT8_WIDENED_BYTES, of forms 0 and 3
 *   scale        f32 [rows], of the levels; 0 leaves the integers
 *   zero         i32 [rows], of the levels; form 0 reads none
 *   weightScale  f32 [columns rounded up to 8], of the columns (`pack-int8.ts`)
 *   weightSum    i32 [columns rounded up to 8], of the columns (`sum-int8.ts`): what bytes have more, zero[r] * weightSum[n], and form 3, zero[r] + weightSum[n] (`tiles/crossed.ts`), the
 *                last block takes away; form 0 reads none
 *   kBegin       a multiple of a block, below k
 *   tile         code of `tiles/family.ts`
 *
 * Called for every block of k in order, `partial` is what `multiply` leaves. The sums are exact, for k up to 2^16: every form, engine, build, tile and range gives the
 * same integers, and `tiles/scale-sums.ts` the same floats of them. Forms 1 and 2 only where the engine's dot is exact (`probe.ts`); where it is not compiled in, they do nothing.
 */
import { DOT8 } from "../simd/dot8";
import { CROSSED, isWide, WIDE } from "../simd/level";
import { BYTE_BLOCK, LEVEL_BLOCK, ROW_BYTES } from "../tiles/column-block";
import { crossedProducts } from "../tiles/crossed";
import { tilePanels } from "../tiles/family";
import { BLOCK_BYTES, FOUR, int8PanelBytes, widenPanel } from "../tiles/panel-int8";
import { PANEL, PANEL_BYTES, rowProducts } from "../tiles/product";
import { removeTerms, removeZeros, scaleSums } from "../tiles/scale-sums";

export function multiplyInt8(
  partial: usize,
  a: usize,
  panels: usize,
  scratch: usize,
  scale: usize,
  zero: usize,
  weightScale: usize,
  weightSum: usize,
  form: i32,
  rows: usize,
  k: usize,
  rowBegin: usize,
  rowEnd: usize,
  kBegin: usize,
  panelBegin: usize,
  panelEnd: usize,
  tile: i32,
): void {
  if (rowBegin >= rowEnd || (!DOT8 && !isWide(form))) return;
  const height = rowEnd - rowBegin;
  const width = tilePanels(tile);
  const depth = isWide(form) ? LEVEL_BLOCK : BYTE_BLOCK;
  const fours = (min<usize>(depth, k - kBegin) + (FOUR - 1)) / FOUR;
  const panelStep = int8PanelBytes(k);
  const source = a + ((kBegin / depth) * rows + rowBegin) * ROW_BYTES;
  const first = kBegin === 0;
  const step = height * PANEL_BYTES;
  let sums = partial;
  for (let panel = panelBegin; panel < panelEnd; panel += width) {
    // Where a tile of two panels has one only, steps of 0 make it stand in for the other.
    const count = min<usize>(width, panelEnd - panel);
    const second = count - 1;
    const block = panels + panel * panelStep + kBegin * PANEL;
    if (isWide(form)) {
      widenPanel(scratch, block, fours);
      if (second !== 0) widenPanel(scratch + BLOCK_BYTES, block + panelStep, fours);
    }
    if (form === CROSSED) {
      crossedProducts(tile, sums, step, source, ROW_BYTES, height, scratch, BLOCK_BYTES, count, fours, first);
    } else if (form === WIDE) {
      const widenedStep = second * BLOCK_BYTES;
      rowProducts<i32>(tile, sums, second * step, source, ROW_BYTES, height, scratch, widenedStep, 2 * fours, first);
    } else if (DOT8) {
      rowProducts<u32>(tile, sums, second * step, source, ROW_BYTES, height, block, second * panelStep, fours, first);
    }
    const end = sums + count * step;
    if (kBegin + depth < k) {
      sums = end;
      continue;
    }
    // While they lie in L1.
    for (let column = panel * PANEL_BYTES; sums < end; sums += step, column += PANEL_BYTES) {
      if (form === CROSSED) removeTerms(sums, sums + step, zero + (rowBegin << 2), weightSum + column);
      else if (form !== WIDE) removeZeros(sums, sums + step, zero + (rowBegin << 2), weightSum + column);
      if (scale !== 0) scaleSums(sums, sums + step, scale + (rowBegin << 2), weightScale + column);
    }
  }
}
