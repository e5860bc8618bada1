import type { Storage } from "#dist/wasm/abi.js";
import { widenBits } from "./widen.js";

export function countNonFinite(src: Uint16Array | Uint32Array, storage: Storage, begin: number, end: number): number {
  let count = 0;
  for (let i = begin; i < end; i++) {
    const value = new Float32Array(Uint32Array.of(widenBits(src[i]!, storage)).buffer)[0];
    if (!Number.isFinite(value)) count++;
  }
  return count;
}
