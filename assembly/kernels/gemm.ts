/**
 * out[r, n] = epilogue(sum over k of a[r, k] * w[n, k] + bias[n]), for rows [rowBegin, rowEnd) and the columns of panels
 * [panelBegin, panelEnd).
 *
 *   out       f32 [rows, columns], outStride
 *   a         f32 [rows, k], aStride
 *   panels    w [columns, k] of the given storage, 8 columns side by side: (k, n) at (n / 8) * 8 * k_total + k * 8 + n % 8
 *   bias      f32 [columns rounded up to 8] or 0
 *   residual  f32 [rows, columns], residualStride; read with the residual epilogue only; may be `out`
 *   scratch   WIDENED_BYTES + 2 * (rowEnd - rowBegin) * PANEL_BYTES: two widened panel blocks, then two panels' columns of block sums
 *   tile      code of `tiles/family.ts`
 *
 * Strides are elements from row to row. Columns of the last panel beyond `columns` are computed from whatever the panel and the bias
 * hold there, and never stored. `out` must not overlap `a`.
 *
 * The order of the sums is in `tiles/product.ts`; then + bias, then the epilogue: nothing, gelu (`simd/gelu.ts`), or + residual.
 * So the bytes of an output depend on its row of a, its column of w, bias and residual alone: not on the ranges, the tile or the storage
 * (bf16 and f16 are widened exactly). Error against exact arithmetic, u = 2^-24: at most (K_BLOCK + ceil(k / K_BLOCK) + 1) u
 * sum |a w| with two roundings per step, before the epilogue; the fused builds differ from the plain ones within twice that.
 */
import { geluLanes } from "../simd/gelu";
import { loadPartial, storePartial } from "../simd/partial";
import { storageBytes } from "../simd/widen";
import { tilePanels } from "../tiles/family";
import { PANEL, PANEL_BYTES, panelProduct, WIDENED_BYTES } from "../tiles/product";

const EPILOGUE_GELU: i32 = 1;
const EPILOGUE_RESIDUAL: i32 = 2;

export function gemm(
  out: usize,
  a: usize,
  panels: usize,
  bias: usize,
  residual: usize,
  scratch: usize,
  columns: usize,
  k: usize,
  aStride: usize,
  outStride: usize,
  residualStride: usize,
  storage: i32,
  epilogue: i32,
  rowBegin: usize,
  rowEnd: usize,
  panelBegin: usize,
  panelEnd: usize,
  tile: i32,
): void {
  if (rowBegin >= rowEnd) return;
  const rows = rowEnd - rowBegin;
  const sums = scratch + WIDENED_BYTES;
  const panelBytes = PANEL * k * storageBytes(storage);
  const source = a + ((rowBegin * aStride) << 2);
  const width = tilePanels(tile);
  for (let first = panelBegin; first < panelEnd; first += width) {
    const count = min<usize>(width, panelEnd - first);
    panelProduct(tile, sums, scratch, source, aStride << 2, rows, panels + first * panelBytes, count, storage, k);
    for (let i: usize = 0; i < count; i++) {
      const column = (first + i) * PANEL;
      finishPanel(
        out + ((rowBegin * outStride + column) << 2),
        outStride << 2,
        sums + i * rows * PANEL_BYTES,
        rows,
        min<usize>(PANEL, columns - column),
        bias === 0 ? 0 : bias + (column << 2),
        residual + ((rowBegin * residualStride + column) << 2),
        residualStride << 2,
        epilogue,
      );
    }
  }
}

function finishPanel(
  out: usize,
  outStride: usize,
  sums: usize,
  rows: usize,
  columns: usize,
  bias: usize,
  residual: usize,
  residualStride: usize,
  epilogue: i32,
): void {
  const lowColumns = min<usize>(4, columns);
  const highColumns = columns - lowColumns;
  let biasLow = f32x4.splat(0);
  let biasHigh = f32x4.splat(0);
  if (bias !== 0) {
    biasLow = v128.load(bias);
    biasHigh = v128.load(bias, 16);
  }
  const end = sums + rows * PANEL_BYTES;
  for (; sums < end; sums += PANEL_BYTES) {
    const low = f32x4.add(v128.load(sums), biasLow);
    const high = f32x4.add(v128.load(sums, 16), biasHigh);
    storePartial(out, finish(low, residual, lowColumns, epilogue), lowColumns);
    storePartial(out + 16, finish(high, residual + 16, highColumns, epilogue), highColumns);
    out += outStride;
    residual += residualStride;
  }
}

function finish(value: v128, residual: usize, columns: usize, epilogue: i32): v128 {
  if (epilogue === EPILOGUE_GELU) return geluLanes(value);
  if (epilogue === EPILOGUE_RESIDUAL) return f32x4.add(value, loadPartial(residual, columns));
  return value;
}
