import type { Storage } from "#dist/wasm/abi.js";
import { widenBits } from "./widen.js";

/** Bit patterns in, bit patterns of float32 out. */
export function gather(
  dst: Uint32Array,
  table: Uint16Array | Uint32Array,
  index: Int32Array,
  width: number,
  storage: Storage,
  rowBegin: number,
  rowEnd: number,
): void {
  for (let r = rowBegin; r < rowEnd; r++) {
    for (let i = 0; i < width; i++) dst[r * width + i] = widenBits(table[index[r]! * width + i]!, storage);
  }
}
