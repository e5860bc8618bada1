/**
 * One block of k of a product: partial[p, r, n] = or += sum over k in [kBegin, min(kBegin + K_BLOCK, k)) of a[r, k] * w[8p + n, k], for rows
 * [rowBegin, rowEnd) and the panels [panelBegin, panelEnd).
 *
 *   partial  f32 [panelEnd - panelBegin, rowEnd - rowBegin, 8]   written when kBegin is 0, else added to
 *   a        f32 [rows, k] in column blocks of `rows` rows (`tiles/column-block.ts`)
 *   panels   w [columns, k] of the given storage, 8 columns side by side: (k, n) at (n / 8) * 8 * k_total + k * 8 + n % 8
 *   scratch  WIDENED_BYTES
 *   kBegin   a multiple of K_BLOCK, below k
 *   tile     code of `tiles/family.ts`
 *
 * Called for every block of k in order, `partial` is a Wᵀ; `finish` and `finishHeads` take it from there. One block for all panels, then the next: the
 * rows' part of `a` stays in L2 while panels pass. Columns of the last panel beyond the matrix are computed from whatever it holds there.
 *
 * The order of the sums is in `tiles/product.ts`, so the bytes of an output depend on its row of a and its column of w alone: not on the ranges,
 * the tile or the storage (bf16 and f16 are widened exactly). Error against exact arithmetic, u = 2^-24: at most (K_BLOCK + ceil(k / K_BLOCK)) u
 * sum |a w| with two roundings per step; the fused builds differ from the plain ones within twice that.
 */
import { storageBytes } from "../simd/widen";
import { elementAt, ROW_BYTES } from "../tiles/column-block";
import { tilePanels } from "../tiles/family";
import { blockProduct, K_BLOCK, PANEL, PANEL_BYTES } from "../tiles/product";

export function multiply(
  partial: usize,
  a: usize,
  panels: usize,
  scratch: usize,
  rows: usize,
  k: usize,
  storage: i32,
  rowBegin: usize,
  rowEnd: usize,
  kBegin: usize,
  panelBegin: usize,
  panelEnd: usize,
  tile: i32,
): void {
  if (rowBegin >= rowEnd) return;
  const height = rowEnd - rowBegin;
  const source = elementAt(a, rows, rowBegin, kBegin);
  const rowOfPanel = PANEL * storageBytes(storage);
  const width = tilePanels(tile);
  let sums = partial;
  for (let first = panelBegin; first < panelEnd; first += width) {
    blockProduct(
      tile,
      sums,
      scratch,
      source,
      ROW_BYTES,
      height,
      panels + (first * k + kBegin) * rowOfPanel,
      k * rowOfPanel,
      min<usize>(width, panelEnd - first),
      storage,
      min<usize>(K_BLOCK, k - kBegin),
      kBegin === 0,
    );
    sums += width * height * PANEL_BYTES;
  }
}
