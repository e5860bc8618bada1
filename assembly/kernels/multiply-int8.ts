/**
 * One block of k of an 8-bit product: partial[p, r, n] = or += sum over k in [kBegin, min(kBegin + COLUMN_BLOCK, k)) of a[r, k] * w[8p + n, k] in 32-bit
 * integers, for rows [rowBegin, rowEnd) and the panels [panelBegin, panelEnd).
 *
 *   partial  i32 [panelEnd - panelBegin, rowEnd - rowBegin, 8]   written when kBegin is 0, else added to
 *   a        i16 [rows, k] in column blocks of `rows` rows, 512 bytes a row of a block: levels less their zero point (`quantise.ts`); what is beyond
 *            k up to the next multiple of 4 is read, and multiplied by zero
 *   panels   w [columns, k] i8, laid out by `tiles/panel-int8.ts`
 *   scratch  INT8_WIDENED_BYTES
 *   kBegin   a multiple of COLUMN_BLOCK, below k
 *   tile     code of `tiles/family.ts`
 *
 * Called for every block of k in order, `partial` is a Wᵀ; `scaleSums` makes f32 of it. Exact: every engine, build, tile and range gives the same integers,
 * for k up to 2^16.
 */
import { COLUMN_BLOCK } from "../tiles/column-block";
import { tilePanels } from "../tiles/family";
import { FOUR, FOUR_WIDENED_BYTES, int8PanelBytes, widenPanel } from "../tiles/panel-int8";
import { PANEL, PANEL_BYTES, rowProducts } from "../tiles/product";

/** Bytes of a row of levels in a column block. */
const ROW_BYTES: usize = COLUMN_BLOCK * 2;

/** Bytes of one widened block of a panel. */
const BLOCK_BYTES: usize = (COLUMN_BLOCK / FOUR) * FOUR_WIDENED_BYTES;

export function multiplyInt8(
  partial: usize,
  a: usize,
  panels: usize,
  scratch: usize,
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
  const fours = (min<usize>(COLUMN_BLOCK, k - kBegin) + (FOUR - 1)) / FOUR;
  const panelStep = int8PanelBytes(k);
  const source = a + ((kBegin / COLUMN_BLOCK) * rows + rowBegin) * ROW_BYTES;
  let sums = partial;
  for (let panel = panelBegin; panel < panelEnd; panel += width) {
    // Where a tile of two panels has one only, steps of 0 make it stand in for the other.
    const second = min<usize>(width, panelEnd - panel) - 1;
    const block = panels + panel * panelStep + kBegin * PANEL;
    widenPanel(scratch, block, fours);
    if (second !== 0) widenPanel(scratch + BLOCK_BYTES, block + panelStep, fours);
    rowProducts<i32>(
      tile,
      sums,
      second * height * PANEL_BYTES,
      source,
      ROW_BYTES,
      height,
      scratch,
      second * BLOCK_BYTES,
      2 * fours,
      kBegin === 0,
    );
    sums += width * height * PANEL_BYTES;
  }
}
