import type { Pointer } from "../wasm/abi.js";
import type { Blocks, OpContext } from "./context.js";

/** A matrix in 8 bits: levels less their zero point, i16 in blocks of LEVEL_BLOCK columns, and the scale of each row, f32. */
export interface Levels {
  readonly at: Pointer;
  readonly scales: Pointer;
}

/** Rows of one task: 24 KB of a 1024 wide stream. */
const TASK_ROWS = 24;

/** dst = src f32 [rows, width] in 8 bits, each row by its own range: dynamic, per-token, asymmetric quantisation. */
export function quantise(x: OpContext, dst: Levels, src: Blocks, width: number): void {
  x.team.each(Math.ceil(src.rows / TASK_ROWS), (task) => {
    const begin = task * TASK_ROWS;
    const end = Math.min(begin + TASK_ROWS, src.rows);
    x.kernels.quantise(dst.at, src.at, dst.scales, src.rows, width, begin, end);
  });
  x.team.barrier();
}
