import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/**
 * dst [tokens, 3*patch*patch] in column blocks, from src u8 [size,size,3] and lut f32 [3,256]: byte for byte what `patchify` makes of what
 * `normalise` makes of them, which is rescale and normalise of VLMImageProcessor and the gathering of timm's PatchEmbed convolution.
 */
export function patchifyRgb(x: OpContext, dst: Pointer, src: Pointer, lut: Pointer, size: number, patch: number): void {
  const { begin, end } = x.team.share((size / patch) ** 2);
  x.kernels.patchifyRgb(dst, src, lut, size, patch, begin, end);
  x.team.barrier();
}
