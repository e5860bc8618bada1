import type { Team } from "../threads/team.js";
import type { Kernels, Pointer, Tile } from "../wasm/abi.js";
import { COLUMN_BLOCK } from "../wasm/abi.js";
import type { Levels } from "./quantise.js";

/** What every op needs from its worker: the kernels, the others, and memory of its own. */
export interface OpContext {
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
  readonly team: Team;
  /** This worker's scratch, `scratchBytes` of the plan long. */
  readonly scratch: Pointer;
}

/** What an op with a matrix product needs besides: the register tiles, the same for all workers, of products of floats and of 8 bits. */
export interface ProductContext extends OpContext {
  readonly tile: Tile;
  readonly int8Tile: Tile;
  /** Where the rows of an 8-bit product are quantised to. */
  readonly levels: Levels;
}

/** An f32 matrix in column blocks: element (r, c) at ((c / 256) * rows + r) * 256 + c % 256. */
export interface Blocks {
  readonly at: Pointer;
  readonly rows: number;
  /** The same rows in 8 bits, by the op that writes them. */
  readonly levels?: Levels;
}

/** An f32 matrix in memory: element (r, c) at (c / 256) * block + r * row + c % 256. */
export interface Rows {
  readonly at: Pointer;
  readonly row: number;
  readonly block: number;
}

/** A matrix in column blocks, and one row after another, by their steps. */
export function blockRows({ at, rows }: Blocks): Rows {
  return { at, row: COLUMN_BLOCK, block: rows * COLUMN_BLOCK };
}

export function plainRows(at: Pointer, columns: number): Rows {
  return { at, row: columns, block: COLUMN_BLOCK };
}

/** `at` moved by `elements` of `bytes` each. */
export function offset(at: Pointer, elements: number, bytes = 4): Pointer {
  return (at + elements * bytes) as Pointer;
}
