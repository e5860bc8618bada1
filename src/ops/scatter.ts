import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** dst[index[r]] = src[r], `rows` f32 rows of `width`, byte for byte. The assignment under a boolean mask. */
export function scatter(x: OpContext, dst: Pointer, src: Pointer, index: Pointer, width: number, rows: number): void {
  const { begin, end } = x.team.share(rows);
  x.kernels.scatter(dst, src, index, width, begin, end);
  x.team.barrier();
}
