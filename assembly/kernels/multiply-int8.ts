/**
 * One block of k of an 8-bit product: partial[p, r, n] = or += sum over k in [kBegin, min(kBegin + LEVEL_BLOCK, k)) of a[r, k] * w[8p + n, k] in 32-bit
 * integers, for rows [rowBegin, rowEnd) and the panels [panelBegin, panelEnd); with the last block f32, times scale[r] * weightScale[8p + n].
 *
 *   partial      i32 [panelEnd - panelBegin, rowEnd - rowBegin, 8]   written when kBegin is 0, else added to; f32 in the end
 *   a            i16 [rows, k] in blocks of LEVEL_BLOCK columns: levels less their zero point (`quantise.ts`); what is beyond k up to the next multiple of 4 is
 *                read, and multiplied by zero
 *   panels       w [columns, k] i8, laid out by `tiles/panel-int8.ts`
 *   scratch      INT8_WIDENED_BYTES
 *   scale        f32 [rows], of the levels; 0 leaves the integers
 *   weightScale  f32 [columns rounded up to 8], of the columns (`pack-int8.ts`)
 *   kBegin       a multiple of LEVEL_BLOCK, below k
 *   tile         code of `tiles/family.ts`
 *
 * Called for every block of k in order, `partial` is what `multiply` leaves. The sums are exact, for k up to 2^16: every engine, build, tile and range gives the
 * same integers, and `tiles/scale-sums.ts` the same floats of them.
 */
import { LEVEL_BLOCK } from "../tiles/column-block";
import { tilePanels } from "../tiles/family";
import { FOUR, FOUR_WIDENED_BYTES, int8PanelBytes, widenPanel } from "../tiles/panel-int8";
import { PANEL, PANEL_BYTES, rowProducts } from "../tiles/product";
import { scaleSums } from "../tiles/scale-sums";

/** Bytes of a row of levels in a block. */
const ROW_BYTES: usize = LEVEL_BLOCK * 2;

/** Bytes of one widened block of a panel. */
const BLOCK_BYTES: usize = (LEVEL_BLOCK / FOUR) * FOUR_WIDENED_BYTES;

export function multiplyInt8(
  partial: usize,
  a: usize,
  panels: usize,
  scratch: usize,
  scale: usize,
  weightScale: usize,
  rows: usize,
  k: usize,
  rowBegin: usize,
  rowEnd: usize,
  kBegin: usize,
  panelBegin: usize,
  panelEnd: usize,
  tile: i32,
): void {
  if (rowBegin >= rowEnd) return;
  const height = rowEnd - rowBegin;
  const width = tilePanels(tile);
  const fours = (min<usize>(LEVEL_BLOCK, k - kBegin) + (FOUR - 1)) / FOUR;
  const panelStep = int8PanelBytes(k);
  const source = a + ((kBegin / LEVEL_BLOCK) * rows + rowBegin) * ROW_BYTES;
  const complete = scale !== 0 && kBegin + LEVEL_BLOCK >= k;
  let sums = partial;
  for (let panel = panelBegin; panel < panelEnd; panel += width) {
    // Where a tile of two panels has one only, steps of 0 make it stand in for the other.
    const second = min<usize>(width, panelEnd - panel) - 1;
    const block = panels + panel * panelStep + kBegin * PANEL;
    widenPanel(scratch, block, fours);
    if (second !== 0) widenPanel(scratch + BLOCK_BYTES, block + panelStep, fours);
    const farSums = second * height * PANEL_BYTES;
    rowProducts<i32>(
      tile,
      sums,
      farSums,
      source,
      ROW_BYTES,
      height,
      scratch,
      second * BLOCK_BYTES,
      2 * fours,
      kBegin === 0,
    );
    const end = sums + height * PANEL_BYTES;
    if (complete) {
      // While they lie in L1.
      const columns = weightScale + panel * PANEL_BYTES;
      scaleSums(sums, end, scale + (rowBegin << 2), columns);
      if (second !== 0) scaleSums(sums + farSums, end + farSums, scale + (rowBegin << 2), columns + PANEL_BYTES);
    }
    sums = end + farSums;
  }
}
