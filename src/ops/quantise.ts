import type { LevelForm, Pointer } from "../wasm/abi.js";
import type { Blocks, OpContext } from "./context.js";

/** A matrix in 8 bits: levels of the given form, and the scale and zero point of each row, f32 and i32. */
export interface Levels {
  readonly at: Pointer;
  readonly scales: Pointer;
  readonly zeros: Pointer;
  readonly form: LevelForm;
}

/** Rows of one task: 24 KB of a 1024 wide stream. */
const TASK_ROWS = 24;

/** dst = src f32 [rows, width] in 8 bits, each row by its own range: dynamic, per-token, asymmetric quantisation. */
export function quantise(x: OpContext, dst: Levels, src: Blocks, width: number): void {
  x.team.each(Math.ceil(src.rows / TASK_ROWS), (task) => {
    const begin = task * TASK_ROWS;
    const end = Math.min(begin + TASK_ROWS, src.rows);
    quantiseRows(x, dst, src, width, begin, end);
  });
  x.team.barrier();
}

/** Rows [begin, end) of it, by one worker. */
export function quantiseRows(x: OpContext, dst: Levels, src: Blocks, width: number, begin: number, end: number): void {
  x.kernels.quantise(dst.at, src.at, dst.scales, dst.zeros, dst.form, src.rows, width, begin, end);
}
