import type { Kernels, Pointer } from "#dist/wasm/abi.js";
import { ARENA_BASE } from "#dist/wasm/abi.js";
import { instantiateKernels } from "#dist/wasm/instantiate.js";
import { Arena, createMemory, ensureMemory, f32 } from "#dist/wasm/memory.js";
import type { Variant } from "#dist/wasm/variants.js";
import { isThreaded } from "#dist/wasm/variants.js";
import { variantBinary } from "./binary.js";

/** One variant's kernels over a memory of their own, and a way to fill it. */
export interface Bed {
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
  take(bytes: number): Pointer;
  /** f32 elements in [-1, 1) of a fixed pseudo-random sequence. */
  fill(at: Pointer, count: number, seed: number): Float32Array;
}

export function bed(variant: Variant): Bed {
  const memory = createMemory(ARENA_BASE, isThreaded(variant));
  const kernels = instantiateKernels(new WebAssembly.Module(variantBinary(variant)), memory);
  const arena = new Arena(ARENA_BASE);
  return {
    kernels,
    memory,
    take(count) {
      const at = arena.take(count);
      ensureMemory(memory, arena.end);
      return at;
    },
    fill(at, count, seed) {
      const data = f32(memory, at, count);
      let state = seed;
      for (let i = 0; i < count; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        data[i] = state / 2 ** 31 - 1;
      }
      return data;
    },
  };
}
