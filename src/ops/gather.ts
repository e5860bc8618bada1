import type { Pointer, Storage } from "../wasm/abi.js";
import type { OpContext } from "./context.js";

/** dst[r] = table[index[r]] widened to f32, `rows` rows of `width`. torch.nn.Embedding. */
export function gather(
  x: OpContext,
  dst: Pointer,
  table: Pointer,
  index: Pointer,
  width: number,
  storage: Storage,
  rows: number,
): void {
  const { begin, end } = x.team.share(rows);
  x.kernels.gather(dst, table, index, width, storage, begin, end);
  x.team.barrier();
}
