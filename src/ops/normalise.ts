import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** dst f32 [3,size,size] = lut[c, src[y,x,c]] from src u8 [size,size,3]: rescale and normalise of VLMImageProcessor, by table. */
export function normalise(x: OpContext, dst: Pointer, src: Pointer, lut: Pointer, size: number): void {
  const { begin, end } = x.team.share(size);
  x.kernels.normalise(dst, src, lut, size, begin, end);
  x.team.barrier();
}
