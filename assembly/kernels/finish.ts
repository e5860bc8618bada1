/**
 * out[r, n] = epilogue(partial[r, n] + bias[n]), for rows [rowBegin, rowEnd) and the columns of panels [panelBegin, panelEnd): the end of a
 * linear layer.
 *
 *   out       f32 [rows, columns] in column blocks of `rows` rows (`tiles/column-block.ts`)
 *   partial   f32 [panelEnd - panelBegin, rowEnd - rowBegin, 8], what `multiply` leaves; may be overwritten
 *   bias      f32 [columns rounded up to 8]
 *   residual  f32 [rows, columns]: element (r, c) at (c / 256) * residualBlock + r * residualRow + c % 256; read with the residual epilogue
 *             only; may be `out`
 *   epilogue  0 nothing, 1 gelu (`simd/gelu.ts`), 2 + residual
 *
 * Steps are elements. Columns of the last panel beyond `columns` are not stored. One rounding for the bias, one for the residual.
 */
import { geluRows } from "../simd/gelu";
import { loadPartial, storePartial } from "../simd/partial";
import { addBias } from "../tiles/add-bias";
import { COLUMN_BLOCK, elementAt, ROW_BYTES } from "../tiles/column-block";
import { PANEL, PANEL_BYTES } from "../tiles/product";

const EPILOGUE_GELU: i32 = 1;
const EPILOGUE_RESIDUAL: i32 = 2;

export function finish(
  out: usize,
  partial: usize,
  bias: usize,
  residual: usize,
  rows: usize,
  columns: usize,
  residualRow: usize,
  residualBlock: usize,
  epilogue: i32,
  rowBegin: usize,
  rowEnd: usize,
  panelBegin: usize,
  panelEnd: usize,
): void {
  if (rowBegin >= rowEnd) return;
  const height = rowEnd - rowBegin;
  let sums = partial;
  for (let panel = panelBegin; panel < panelEnd; panel++) {
    const column = panel * PANEL;
    const target = elementAt(out, rows, rowBegin, column);
    const added =
      residual + (((column / COLUMN_BLOCK) * residualBlock + rowBegin * residualRow + (column % COLUMN_BLOCK)) << 2);
    const end = sums + height * PANEL_BYTES;
    const shift = bias + (column << 2);
    const residualStep = epilogue === EPILOGUE_RESIDUAL ? residualRow << 2 : 0;
    const whole = columns - column >= PANEL;
    // A panel of which not all columns are stored is finished in place first.
    const to = whole ? target : sums;
    const toStep = whole ? ROW_BYTES : PANEL_BYTES;
    if (epilogue === EPILOGUE_GELU) geluRows(to, toStep, sums, end, shift);
    else if (whole && epilogue === EPILOGUE_RESIDUAL) finishResidual(to, sums, end, shift, added, residualStep);
    else addBias(to, toStep, sums, end, shift);
    if (!whole) finishTail(target, sums, end, added, residualStep, columns - column);
    sums = end;
  }
}

function finishResidual(out: usize, sums: usize, end: usize, bias: usize, residual: usize, step: usize): void {
  const biasLow = v128.load(bias);
  const biasHigh = v128.load(bias, 16);
  for (; sums < end; sums += PANEL_BYTES, out += ROW_BYTES, residual += step) {
    const low = f32x4.add(f32x4.add(v128.load(sums), biasLow), v128.load(residual));
    const high = f32x4.add(f32x4.add(v128.load(sums, 16), biasHigh), v128.load(residual, 16));
    v128.store(out, low);
    v128.store(out, high, 16);
  }
}

/** The last panel of a matrix whose columns are no multiple of 8. */
function finishTail(out: usize, sums: usize, end: usize, residual: usize, step: usize, columns: usize): void {
  const lowColumns = min<usize>(4, columns);
  const highColumns = columns - lowColumns;
  for (; sums < end; sums += PANEL_BYTES, out += ROW_BYTES, residual += step) {
    let low = v128.load(sums);
    let high = v128.load(sums, 16);
    if (step !== 0) {
      low = f32x4.add(low, loadPartial(residual, lowColumns));
      high = f32x4.add(high, loadPartial(residual + 16, highColumns));
    }
    storePartial(out, low, lowColumns);
    storePartial(out + 16, high, highColumns);
  }
}
