import type { Team } from "../threads/team.js";
import type { Kernels, Pointer, Tile } from "../wasm/abi.js";

/** What every op needs from its worker: the kernels, the others, and memory of its own. */
export interface OpContext {
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
  readonly team: Team;
  /** This worker's scratch, `scratchBytes` of ops/scratch.ts long. */
  readonly scratch: Pointer;
}

/** What an op with a matrix product needs besides: the register tile, the same for all workers. */
export interface ProductContext extends OpContext {
  readonly tile: Tile;
}

/** f32 rows in memory: `stride` elements from one to the next. */
export interface Rows {
  readonly at: Pointer;
  readonly stride: number;
}

/** `at` moved by `elements` of `bytes` each. */
export function offset(at: Pointer, elements: number, bytes = 4): Pointer {
  return (at + elements * bytes) as Pointer;
}
