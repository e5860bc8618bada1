import { roundUp } from "../wasm/abi.js";
import { PAGE_BYTES } from "../wasm/memory.js";
import type { OpenModel } from "./load.js";
import { planMemory } from "./load.js";
import { type PlannedResidency, type ResidencyOptions, refusal, wasmBytes, wholePages } from "./planned-residency.js";
import { planStaging, ROOMS } from "./staging.js";
import { planStreams } from "./stream-plan.js";
import { loadingSizes } from "./weights.js";

/**
 * Plans what is in memory when, within the budget: all weights, or as many of the first parts as there is room for and the others in turn. E_OOM says what is
 * needed at least.
 */
export async function planResidency(model: OpenModel, options: ResidencyOptions): Promise<PlannedResidency> {
  const { residency, memoryBudget: budget } = options;
  if (budget === undefined)
    return residency === "resident" ? planResident(model, options) : planStreams(model, options);
  const resident = planResident(model, options);
  if (resident.bytes <= budget) return resident;
  if (residency === "stream") return planStreams(model, options);
  throw refusal("keep this model resident", resident.bytes, budget, ', or stream it (residency "stream")');
}

function planResident(model: OpenModel, { dtype, threads, memoryBudget }: ResidencyOptions): PlannedResidency {
  const shared = threads > 1;
  const limit = wholePages(memoryBudget);
  const plan = { ...planMemory(model, dtype, threads), limit };
  if (memoryBudget === undefined) return { plan, shared, stream: undefined, bytes: wasmBytes(model, plan) };
  const { roomBytes, sliceBytes } = loadingSizes(model.bound, plan.placements);
  const { end } = planStaging(plan.idle, threads, roomBytes, sliceBytes, shared);
  // While it loads: batches lie in rooms, in the place of the activations where memory is shared, else beside it.
  const loading = roundUp(Math.max(plan.free, end), PAGE_BYTES) + (shared ? 0 : ROOMS * roomBytes);
  return { plan, shared, stream: undefined, bytes: Math.max(loading, wasmBytes(model, plan)) };
}
