import type { Pointer } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** dst = a + b, `count` f32 elements; dst may be a or b. */
export function add(x: OpContext, dst: Pointer, a: Pointer, b: Pointer, count: number): void {
  const { begin, end } = x.team.share(count, 16);
  x.kernels.add(dst, a, b, begin, end);
  x.team.barrier();
}
