import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE, NULL } from "../wasm/abi.js";
import { Arena } from "../wasm/memory.js";

/** What preprocessing needs of a memory's plan. The plan of a whole model has it, too. */
export interface PicturePlan {
  readonly activations: {
    /** f32 [3,S,S] */
    readonly pixels: Pointer;
  };
  readonly control: Pointer;
  readonly scratch: Pointer;
  readonly scratchBytes: number;
  /** First byte after everything planned: pictures lie from here on, growing the memory. */
  readonly free: Pointer;
}

/** The memory of a worker that preprocesses and does nothing else: no weights, and no control block, which a worker alone has outside. */
export function planPictures(imageSize: number): PicturePlan {
  const arena = new Arena(ARENA_BASE);
  const pixels = arena.take(3 * imageSize ** 2 * 4);
  return { activations: { pixels }, control: NULL, scratch: NULL, scratchBytes: 0, free: arena.end };
}
