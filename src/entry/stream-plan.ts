import type { ModelPlan } from "../model/plan.js";
import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE } from "../wasm/abi.js";
import type { OpenModel } from "./load.js";
import { planMemory } from "./load.js";
import { type PlannedResidency, type ResidencyOptions, refusal, wasmBytes, wholePages } from "./planned-residency.js";
import { planStaging } from "./staging.js";
import type { StreamPlan } from "./streamed-weights.js";
import { cutParts, isInPlace, loadingSizes } from "./weights.js";

/** The least room that is tried is this part of the largest one: 1.6 MB of a block of 12.6. */
const LEAST_ROOM = 1 / 8;

/** Within the budget as many of the first parts stay as there is room for; without one, none does. E_OOM says what is needed at least. */
export async function planStreams(model: OpenModel, options: ResidencyOptions): Promise<PlannedResidency> {
  const { memoryBudget: budget } = options;
  const least = planStreamed(model, options, 0, LEAST_ROOM);
  if (budget === undefined) return least;
  for (let staying = comingParts(model).length - 1; staying >= 0; staying--) {
    const planned = planStreamed(model, options, staying);
    if (planned.bytes <= budget) return planned;
  }
  if (least.bytes <= budget) return least;
  throw refusal("stream this model", least.bytes, budget, "");
}

/** The parts that may come and go: all but the last norm, a few kilobytes, and an aligner that has no layers. */
function comingParts({ config: { blocks, aligner } }: OpenModel): number[] {
  const before = Array.from({ length: blocks + 1 }, (_, part) => part);
  return aligner.depth > 0 ? [...before, blocks + 2] : before;
}

/**
 * `staying`: how many of the parts that may come and go stay, the first ones. `room`: how much of a part is read at a time where there is a room for it. Less than all
 * takes less memory, but then only so much is read while the part before is computed.
 */
function planStreamed(
  model: OpenModel,
  { dtype, threads, memoryBudget, canShare }: ResidencyOptions,
  staying: number,
  room = 1,
): PlannedResidency {
  const { bound, config } = model;
  const shared = threads > 1 || canShare;
  const parts = planMemory(model, dtype, threads).parts;
  const inPlace =
    shared && parts.every(({ placements }) => placements.every((placement) => isInPlace(bound, placement)));
  const coming = comingParts(model).slice(staying);
  const batchBytes = inPlace || room === 1 ? undefined : Math.ceil(room * largestBatch(bound, parts));
  const roomBytes = inPlace ? 0 : largestBatch(bound, parts, batchBytes);
  const { sliceBytes } = loadingSizes(
    bound,
    parts.flatMap(({ placements }) => placements),
  );
  const stagingAt = (at: Pointer): StreamPlan["staging"] =>
    planStaging(at, threads, roomBytes, inPlace ? 0 : sliceBytes, shared, 1);
  const outside = shared ? 0 : roomBytes;
  const plan = planMemory(model, dtype, threads, undefined, {
    stays: parts.map((_, part) => !coming.includes(part)),
    slots: inPlace ? Math.min(2, coming.length) : 1,
    arriving: stagingAt(ARENA_BASE as Pointer).end - ARENA_BASE,
    limit: wholePages(memoryBudget === undefined ? undefined : Math.max(0, memoryBudget - outside)),
  });
  const stream = { inPlace, roomBytes, batchBytes, staging: stagingAt(plan.arriving) };
  return { plan, shared, stream, bytes: wasmBytes({ config }, plan) + outside };
}

function largestBatch(bound: OpenModel["bound"], parts: ModelPlan["parts"], most?: number): number {
  return Math.max(0, ...cutParts(bound, parts, most).flatMap((batches) => batches.map(({ bytes }) => bytes)));
}
