import { parentPort, workerData } from "node:worker_threads";
import type { Pointer } from "#dist/wasm/abi.js";
import { instantiateKernels } from "#dist/wasm/instantiate.js";

/**
 * One worker of the barrier test: writes its round into its slot, meets the others, and looks whether all slots have reached that
 * round and none is more than one ahead. Posts when it starts, then the rounds done, the slots found wrong, and the last stop word.
 */
export interface BarrierTask {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  control: number;
  slots: number;
  self: number;
  workers: number;
  rounds: number;
}

export interface BarrierResult {
  rounds: number;
  wrong: number;
  stop: number;
}

const { module, memory, control, slots, self, workers, rounds } = workerData as BarrierTask;
const kernels = instantiateKernels(module, memory);
const slot = new Int32Array(memory.buffer, slots, workers);
const result: BarrierResult = { rounds: 0, wrong: 0, stop: 0 };
parentPort!.postMessage("started");
while (result.rounds < rounds) {
  slot[self] = result.rounds + 1;
  result.stop = kernels.barrier(control as Pointer, workers);
  if (result.stop !== 0) break;
  result.rounds++;
  for (const reached of slot) if (reached < result.rounds || reached > result.rounds + 1) result.wrong++;
}
parentPort!.postMessage(result);
