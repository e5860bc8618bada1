import type { Pointer } from "../wasm/abi.js";
import type { Blocks, OpContext } from "./context.js";
import { quantiseRows } from "./quantise.js";

/** Scale and shift of a layer norm, f32 [width] each, and its epsilon. */
export interface Norm {
  readonly weight: Pointer;
  readonly bias: Pointer;
  readonly width: number;
  readonly eps: number;
}

/** Rows of one task: 24 KB of a 1024 wide stream. */
const TASK_ROWS = 24;

/**
 * dst [rows, width] = (src - mean) / sqrt(var + eps) * weight + bias, row by row. torch.nn.LayerNorm. dst may be src. Levels of dst, when it has any, are made of its rows
 * while they lie in the cache (`quantise`).
 */
export function layernorm(x: OpContext, dst: Blocks, src: Blocks, norm: Norm): void {
  x.team.each(Math.ceil(src.rows / TASK_ROWS), (task) => {
    const begin = task * TASK_ROWS;
    const end = Math.min(begin + TASK_ROWS, src.rows);
    x.kernels.layernorm(dst.at, src.at, norm.weight, norm.bias, src.rows, norm.width, norm.eps, begin, end);
    if (dst.levels) quantiseRows(x, dst.levels, dst, norm.width, begin, end);
  });
  x.team.barrier();
}
