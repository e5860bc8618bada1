import type { ProductContext } from "#dist/ops/context.js";
import { CONTROL_BYTES } from "#dist/threads/control.js";
import { Team } from "#dist/threads/team.js";
import { type Kernels, LEVELS, NULL, type Pointer, TILE } from "#dist/wasm/abi.js";

export interface KernelCall {
  readonly kernel: string;
  readonly args: readonly number[];
  /** How often the stop word had been looked at before. */
  readonly polls: number;
}

/** Names of the kernels that an op calls, and `barrier` where it waits for the others, in order. */
export function recordedSteps(index: number, count: number, op: (x: ProductContext) => void): string[] {
  const steps: string[] = [];
  const team = new Team(index, count, new Int32Array(CONTROL_BYTES / 4), () => {
    steps.push("barrier");
    return 0;
  });
  const kernels = new Proxy({} as Kernels, { get: (_, kernel: string) => () => steps.push(kernel) });
  op({
    kernels,
    team,
    memory: new WebAssembly.Memory({ initial: 0 }),
    scratch: 64 as Pointer,
    tile: TILE["4x8"],
    int8Tile: TILE["4x8"],
    levels: { at: NULL, scales: NULL, zeros: NULL, form: LEVELS.wide },
  });
  return steps;
}

/** A worker whose kernels do nothing but note their calls: what an op would do, and in which slices. */
export function recordedCalls(index: number, count: number, op: (x: ProductContext) => void): KernelCall[] {
  const calls: KernelCall[] = [];
  let polls = 0;
  const team = new (class extends Team {
    override poll(): void {
      polls++;
      super.poll();
    }
  })(index, count, new Int32Array(CONTROL_BYTES / 4), () => 0);
  const kernels = new Proxy({} as Kernels, {
    get:
      (_, kernel: string) =>
      (...args: number[]) =>
        calls.push({ kernel, args, polls }),
  });
  op({
    kernels,
    team,
    memory: new WebAssembly.Memory({ initial: 0 }),
    scratch: 64 as Pointer,
    tile: TILE["4x8"],
    int8Tile: TILE["4x8"],
    levels: { at: NULL, scales: NULL, zeros: NULL, form: LEVELS.wide },
  });
  return calls;
}
