import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** Fills dst u8 [pixels,3] with one colour. */
export function fillRgb(x: OpContext, dst: Pointer, colour: readonly [number, number, number], pixels: number): void {
  const { begin, end } = x.team.share(pixels, 64);
  x.kernels.fillRgb(dst, colour[0], colour[1], colour[2], begin, end);
  x.team.barrier();
}

/** Copies `rows` rows of `rowElements` u8 into a larger picture. */
export function copyRows(
  x: OpContext,
  dst: Pointer,
  src: Pointer,
  rowElements: number,
  srcStride: number,
  dstStride: number,
  rows: number,
): void {
  const { begin, end } = x.team.share(rows);
  x.kernels.copyRows(dst, src, rowElements, srcStride, dstStride, begin, end);
  x.team.barrier();
}
