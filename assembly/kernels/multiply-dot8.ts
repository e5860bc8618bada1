/**
 * One block of k of an 8-bit product by the fused 8-bit dot: what `multiply-int8.ts` computes, of levels that are kept as bytes. The same integers, and the same floats of them.
 *
 *   partial      i32 [panelEnd - panelBegin, rowEnd - rowBegin, 8]   written when kBegin is 0, else added to; f32 in the end
 *   a            u8 or i8 [rows, k], as the engine's dot takes them, in blocks of BYTE_BLOCK columns: levels with a zero point (`quantise.ts`); what is beyond k up to
 *                the next multiple of 4 is read, and multiplied by zero
 *   panels       w [columns, k] i8 from -127 on, laid out by `tiles/panel-int8.ts`: two products of -128 by -128 are more than 16 bits hold, which is where ARM without its
 *                dot instruction adds them
 *   scale, zero  f32 and i32 [rows], of the levels; a scale of 0 leaves the integers, without what the zero points add
 *   weightScale  f32 [columns rounded up to 8], of the columns (`pack-int8.ts`)
 *   weightSum    i32 [columns rounded up to 8], sums of the columns (`sum-int8.ts`)
 *   kBegin       a multiple of BYTE_BLOCK, below k
 *   tile         code of `tiles/family.ts`
 *
 * The last block takes zero[r] * weightSum[n] away. Only where the engine's dot is exact (`probe.ts`); where it is not compiled in, nothing is done.
 */
import { DOT8 } from "../simd/dot8";
import { BYTE_BLOCK } from "../tiles/column-block";
import { tilePanels } from "../tiles/family";
import { FOUR, int8PanelBytes } from "../tiles/panel-int8";
import { PANEL, PANEL_BYTES, rowProducts } from "../tiles/product";
import { removeZeros, scaleSums } from "../tiles/scale-sums";

export function multiplyDot8(
  partial: usize,
  a: usize,
  panels: usize,
  scale: usize,
  zero: usize,
  weightScale: usize,
  weightSum: usize,
  rows: usize,
  k: usize,
  rowBegin: usize,
  rowEnd: usize,
  kBegin: usize,
  panelBegin: usize,
  panelEnd: usize,
  tile: i32,
): void {
  if (DOT8) {
    if (rowBegin >= rowEnd) return;
    const height = rowEnd - rowBegin;
    const width = tilePanels(tile);
    const fours = (min<usize>(BYTE_BLOCK, k - kBegin) + (FOUR - 1)) / FOUR;
    const panelStep = int8PanelBytes(k);
    const source = a + ((kBegin / BYTE_BLOCK) * rows + rowBegin) * BYTE_BLOCK;
    const complete = kBegin + BYTE_BLOCK >= k;
    let sums = partial;
    for (let panel = panelBegin; panel < panelEnd; panel += width) {
      // Where a tile of two panels has one only, steps of 0 make it stand in for the other.
      const count = min<usize>(width, panelEnd - panel);
      const second = count - 1;
      const step = height * PANEL_BYTES;
      rowProducts<u32>(
        tile,
        sums,
        second * step,
        source,
        BYTE_BLOCK,
        height,
        panels + panel * panelStep + kBegin * PANEL,
        second * panelStep,
        fours,
        kBegin === 0,
      );
      for (let i = panel; i < panel + count; i++, sums += step) {
        if (!complete) continue;
        removeZeros(sums, sums + step, zero + (rowBegin << 2), weightSum + i * PANEL_BYTES);
        if (scale !== 0) scaleSums(sums, sums + step, scale + (rowBegin << 2), weightScale + i * PANEL_BYTES);
      }
    }
  }
}
