import type { ModelPlan } from "../model/plan.js";
import { roundUp } from "../wasm/abi.js";
import { PAGE_BYTES } from "../wasm/memory.js";
import type { OpenModel } from "./load.js";
import type { DTypeOption } from "./options.js";
import { sequenceBytes } from "./stages.js";
import type { StreamPlan } from "./streamed-weights.js";

export interface ResidencyOptions {
  readonly dtype: DTypeOption;
  readonly threads: number;
  readonly residency: "resident" | "stream";
  /** Bytes; undefined: as many as a resident model takes, as few as a streamed one can do with. */
  readonly memoryBudget: number | undefined;
  /** Whether the host has memory that a worker and the caller share. */
  readonly canShare: boolean;
}

/** The memory of a model, all of it, before anything of it is taken. */
export interface PlannedResidency {
  readonly plan: ModelPlan;
  /** Whether the memory is shared with the caller. */
  readonly shared: boolean;
  /** Undefined when all weights stay in memory. */
  readonly stream: StreamPlan | undefined;
  /** Bytes of WebAssembly memory and of rooms beside it, until a picture needs more than the activations leave. */
  readonly bytes: number;
  /** What stays in memory of a model that is to stream, in words. */
  readonly notes: readonly string[];
}

/** Bytes of the memory, sequences of any length and square pictures included. */
export function wasmBytes({ config }: Pick<OpenModel, "config">, { idle, free }: ModelPlan): number {
  return roundUp(Math.max(free, idle + sequenceBytes(config)), PAGE_BYTES);
}
