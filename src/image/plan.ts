import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE, NULL } from "../wasm/abi.js";
import { Arena, MEMORY_LIMIT } from "../wasm/memory.js";

/** What the way to a square needs of a memory's plan. The plan of a whole model has it, too. */
export interface PicturePlan {
  readonly activations: {
    /** u8 [S,S,3] */
    readonly square: Pointer;
  };
  readonly control: Pointer;
  readonly scratch: Pointer;
  readonly scratchBytes: number;
  /** First byte after everything planned. */
  readonly free: Pointer;
  /** Pictures lie from here on, growing the memory. */
  readonly idle: Pointer;
  /** What it may grow to. */
  readonly limit: number;
}

/** The memory of a worker that makes squares of pictures and does nothing else: no weights, and no control block, which a worker alone has outside. */
export function planPictures(imageSize: number): PicturePlan {
  const arena = new Arena(ARENA_BASE);
  const square = arena.take(3 * imageSize ** 2);
  const { end } = arena;
  return {
    activations: { square },
    control: NULL,
    scratch: NULL,
    scratchBytes: 0,
    free: end,
    idle: end,
    limit: MEMORY_LIMIT,
  };
}
