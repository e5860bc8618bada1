import { JanusError } from "../errors.js";
import type { ModelPlan } from "../model/plan.js";
import { roundUp } from "../wasm/abi.js";
import { MEMORY_LIMIT, PAGE_BYTES } from "../wasm/memory.js";
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
}

/** Bytes of the memory, sequences of any length and square pictures included. */
export function wasmBytes({ config }: Pick<OpenModel, "config">, { idle, free }: ModelPlan): number {
  return roundUp(Math.max(free, idle + sequenceBytes(config)), PAGE_BYTES);
}

/** What a memory grows by, not more than `bytes`. */
export function wholePages(bytes: number | undefined): number {
  return bytes === undefined ? MEMORY_LIMIT : Math.min(MEMORY_LIMIT, Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES);
}

/** E_OOM of a budget that is too small. */
export function refusal(purpose: string, needed: number, got: number, instead: string): JanusError {
  return new JanusError(
    "E_OOM",
    `planning memory: to ${purpose} a budget of at least ${needed} bytes is needed, got ${got}; give it more${instead}, or take a smaller dtype or model`,
  );
}
