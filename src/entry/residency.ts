import { MEMORY_LIMIT } from "../wasm/memory.js";
import type { OpenModel } from "./load.js";
import { planMemory } from "./load.js";
import { type PlannedResidency, type ResidencyOptions, wasmBytes } from "./planned-residency.js";
import { planWithin } from "./stream-plan.js";

/**
 * Plans what is in memory when: all weights; or within a budget all, or as many of the first parts as there is room for and the others in turn. E_OOM says what is
 * needed at least.
 */
export async function planResidency(model: OpenModel, options: ResidencyOptions): Promise<PlannedResidency> {
  const { residency, memoryBudget, dtype, threads } = options;
  if (residency === "stream" || memoryBudget !== undefined) return planWithin(model, options);
  const plan = { ...planMemory(model, dtype, threads), limit: MEMORY_LIMIT };
  return { plan, shared: threads > 1, stream: undefined, bytes: wasmBytes(model, plan), notes: [] };
}
