import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/**
 * dst [tokens, 3*patch*patch] in column blocks, from pixels [3,size,size]: what timm's PatchEmbed convolution multiplies with its kernel, token y*grid + x,
 * column c*patch*patch + ky*patch + kx (the order of an OIHW weight).
 */
export function patchify(x: OpContext, dst: Pointer, pixels: Pointer, size: number, patch: number): void {
  const { begin, end } = x.team.share((size / patch) ** 2);
  x.kernels.patchify(dst, pixels, size, patch, begin, end);
  x.team.barrier();
}
