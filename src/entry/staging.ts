import type { Pointer } from "../wasm/abi.js";
import { Arena } from "../wasm/memory.js";

/** Batches under way: one is packed from, the others are read into or wait, so that neither side waits for the other's wakening. */
export const ROOMS = 4;

/** What loading needs beyond the plan of a memory, in addresses. Nothing of it is kept: pictures and sequences come to lie there later. */
export interface StagingPlan {
  /** Of every worker: room for a slice as stored, where batches lie in buffers, and for one widened to f32. */
  readonly slices: readonly { readonly stored: Pointer; readonly widened: Pointer }[];
  /** Where batches are read to; empty when memory is not shared and they lie in buffers. */
  readonly rooms: readonly Pointer[];
  /** First byte behind all that. */
  readonly end: Pointer;
}

/** Lays out staging from `begin` on; without `shared` memory there are no `rooms` in it. E_OOM beyond 4 GiB. */
export function planStaging(
  begin: Pointer,
  threads: number,
  roomBytes: number,
  sliceBytes: number,
  shared: boolean,
  rooms = ROOMS,
): StagingPlan {
  const arena = new Arena(begin);
  const slices = Array.from({ length: threads }, () => ({
    stored: arena.take(shared ? 0 : sliceBytes),
    widened: arena.take(2 * sliceBytes),
  }));
  const places = Array.from({ length: shared ? rooms : 0 }, () => arena.take(roomBytes));
  return { slices, rooms: places, end: arena.end };
}
