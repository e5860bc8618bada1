import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** Scale and shift of a layer norm, f32 [width] each, and its epsilon. */
export interface Norm {
  readonly weight: Pointer;
  readonly bias: Pointer;
  readonly width: number;
  readonly eps: number;
}

/** dst [rows, width] = (src - mean) / sqrt(var + eps) * weight + bias, row by row. torch.nn.LayerNorm. dst may be src. */
export function layernorm(x: OpContext, dst: Pointer, src: Pointer, norm: Norm, rows: number): void {
  const { begin, end } = x.team.share(rows);
  x.kernels.layernorm(dst, src, norm.weight, norm.bias, norm.width, norm.eps, begin, end);
  x.team.barrier();
}
