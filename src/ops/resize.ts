import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** Where each output element takes its input from, for one axis: i32 [out,2] first and count, i32 [out,taps] fixed-point weights. */
export interface AxisTables {
  readonly bounds: Pointer;
  readonly weights: Pointer;
  readonly taps: number;
}

/**
 * Products of one kernel call, about a millisecond: how soon a cancelled program notices. A row of a usual picture has fifty thousand, the
 * widest taken (a million pixels, ten thousand taps) twelve million.
 */
const PRODUCTS_PER_CALL = 4e6;

/** dst u8 [rows,dstWidth,3] from src u8 [rows,srcWidth,3]: the horizontal pass of Pillow's resample. */
export function resizeHorizontal(
  x: OpContext,
  dst: Pointer,
  src: Pointer,
  tables: AxisTables,
  srcWidth: number,
  dstWidth: number,
  rows: number,
): void {
  const { begin, end } = x.team.share(rows);
  const step = rowsPerCall(dstWidth * 3 * tables.taps);
  for (let row = begin; row < end; row += step) {
    x.team.poll();
    const rowEnd = Math.min(row + step, end);
    x.kernels.resizeHorizontal(dst, src, tables.bounds, tables.weights, tables.taps, srcWidth, dstWidth, row, rowEnd);
  }
  x.team.barrier();
}

/** dst u8 rows (dstStride apart) from src u8 [srcHeight,rowElements]: the vertical pass. */
export function resizeVertical(
  x: OpContext,
  dst: Pointer,
  src: Pointer,
  tables: AxisTables,
  rowElements: number,
  dstStride: number,
  rows: number,
): void {
  const { begin, end } = x.team.share(rows);
  const step = rowsPerCall(rowElements * tables.taps);
  for (let row = begin; row < end; row += step) {
    x.team.poll();
    const rowEnd = Math.min(row + step, end);
    x.kernels.resizeVertical(dst, src, tables.bounds, tables.weights, tables.taps, rowElements, dstStride, row, rowEnd);
  }
  x.team.barrier();
}

function rowsPerCall(productsPerRow: number): number {
  return Math.max(1, Math.floor(PRODUCTS_PER_CALL / productsPerRow));
}
