/**
 * out[r, n] = epilogue(partial[r, n] + bias[n]), for rows [rowBegin, rowEnd) and the columns of panels [panelBegin, panelEnd): the end of a
 * linear layer.
 *
 *   out       f32 [rows, columns] in column blocks of `rows` rows (`tiles/column-block.ts`)
 *   partial   f32 [panelEnd - panelBegin, rowEnd - rowBegin, 8], what `multiply` leaves
 *   bias      f32 [columns rounded up to 8] or 0
 *   residual  f32 [rows, columns]: element (r, c) at (c / 256) * residualBlock + r * residualRow + c % 256; read with the residual epilogue
 *             only; may be `out`
 *   epilogue  0 nothing, 1 gelu (`simd/gelu.ts`), 2 + residual
 *
 * Steps are elements. Columns of the last panel beyond `columns` are not stored. One rounding for the bias, one for the residual.
 */
import { geluLanes } from "../simd/gelu";
import { loadPartial, storePartial } from "../simd/partial";
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
    let low = f32x4.splat(0);
    let high = low;
    if (bias !== 0) {
      low = v128.load(bias + (column << 2));
      high = v128.load(bias + (column << 2), 16);
    }
    if (columns - column < PANEL) {
      finishTail(target, sums, end, low, high, added, residualRow << 2, columns - column, epilogue);
    } else if (epilogue === EPILOGUE_GELU) {
      finishGelu(target, sums, end, low, high);
    } else if (epilogue === EPILOGUE_RESIDUAL) {
      finishResidual(target, sums, end, low, high, added, residualRow << 2);
    } else {
      finishPlain(target, sums, end, low, high);
    }
    sums = end;
  }
}

function finishPlain(out: usize, sums: usize, end: usize, biasLow: v128, biasHigh: v128): void {
  for (; sums < end; sums += PANEL_BYTES, out += ROW_BYTES) {
    const low = f32x4.add(v128.load(sums), biasLow);
    const high = f32x4.add(v128.load(sums, 16), biasHigh);
    v128.store(out, low);
    v128.store(out, high, 16);
  }
}

function finishGelu(out: usize, sums: usize, end: usize, biasLow: v128, biasHigh: v128): void {
  for (; sums < end; sums += PANEL_BYTES, out += ROW_BYTES) {
    const low = geluLanes(f32x4.add(v128.load(sums), biasLow));
    const high = geluLanes(f32x4.add(v128.load(sums, 16), biasHigh));
    v128.store(out, low);
    v128.store(out, high, 16);
  }
}

function finishResidual(
  out: usize,
  sums: usize,
  end: usize,
  biasLow: v128,
  biasHigh: v128,
  residual: usize,
  step: usize,
): void {
  for (; sums < end; sums += PANEL_BYTES, out += ROW_BYTES, residual += step) {
    const low = f32x4.add(f32x4.add(v128.load(sums), biasLow), v128.load(residual));
    const high = f32x4.add(f32x4.add(v128.load(sums, 16), biasHigh), v128.load(residual, 16));
    v128.store(out, low);
    v128.store(out, high, 16);
  }
}

/** The last panel of a matrix whose columns are no multiple of 8. */
function finishTail(
  out: usize,
  sums: usize,
  end: usize,
  biasLow: v128,
  biasHigh: v128,
  residual: usize,
  step: usize,
  columns: usize,
  epilogue: i32,
): void {
  const lowColumns = min<usize>(4, columns);
  const highColumns = columns - lowColumns;
  for (; sums < end; sums += PANEL_BYTES, out += ROW_BYTES, residual += step) {
    const low = f32x4.add(v128.load(sums), biasLow);
    const high = f32x4.add(v128.load(sums, 16), biasHigh);
    storePartial(out, finished(low, residual, lowColumns, epilogue), lowColumns);
    storePartial(out + 16, finished(high, residual + 16, highColumns, epilogue), highColumns);
  }
}

function finished(value: v128, residual: usize, columns: usize, epilogue: i32): v128 {
  if (epilogue === EPILOGUE_GELU) return geluLanes(value);
  if (epilogue === EPILOGUE_RESIDUAL) return f32x4.add(value, loadPartial(residual, columns));
  return value;
}
