import { JanusError } from "../errors.js";
import type { ModelPlan } from "../model/plan.js";
import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE, roundUp } from "../wasm/abi.js";
import { MEMORY_LIMIT, PAGE_BYTES } from "../wasm/memory.js";
import type { OpenModel } from "./load.js";
import { planMemory } from "./load.js";
import { type PlannedResidency, type ResidencyOptions, wasmBytes } from "./planned-residency.js";
import { planStaging, ROOMS } from "./staging.js";
import type { StreamPlan } from "./streamed-weights.js";
import { cutParts, isInPlace, loadingSizes, readsOf } from "./weights.js";

/** The least room that is tried is this part of the largest one: 1.6 MB of a block of 12.6. */
const LEAST_ROOM = 1 / 8;

/**
 * Within the budget, all weights stay where there is room for them, and of those that are to stream as many of the first parts as there is room for; without one,
 * none does. E_OOM says what is needed at least.
 */
export async function planWithin(model: OpenModel, options: ResidencyOptions): Promise<PlannedResidency> {
  const { residency, memoryBudget: budget } = options;
  if (budget !== undefined) {
    const resident = planResident(model, options, budget);
    if (resident.bytes <= budget) return resident;
    if (residency === "resident")
      throw refusal("keep this model resident", resident.bytes, budget, ', or stream it (residency "stream")');
  }
  const planned = planStreams(model, options);
  return { ...planned, notes: [residencyNote(planned.plan)] };
}

function planResident(
  model: OpenModel,
  { dtype, threads, residency }: ResidencyOptions,
  budget: number,
): PlannedResidency {
  const shared = threads > 1;
  const plan = { ...planMemory(model, dtype, threads), limit: wholePages(budget) };
  const { roomBytes, sliceBytes } = loadingSizes(model.bound, plan.placements);
  const { end } = planStaging(plan.idle, threads, roomBytes, sliceBytes, shared);
  // While it loads: batches lie in rooms, in the place of the activations where memory is shared, else beside it.
  const loading = roundUp(Math.max(plan.free, end), PAGE_BYTES) + (shared ? 0 : ROOMS * roomBytes);
  const bytes = Math.max(loading, wasmBytes(model, plan));
  const notes = residency === "stream" ? [residencyNote(plan)] : [];
  return { plan, shared, stream: undefined, bytes, notes };
}

type Streams = Omit<PlannedResidency, "notes">;

function planStreams(model: OpenModel, options: ResidencyOptions): Streams {
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
): Streams {
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
  const reads = readsOf(cutParts(bound, plan.parts, batchBytes).flat());
  const stream = { inPlace, roomBytes, batchBytes, staging: stagingAt(plan.arriving), reads };
  return { plan, shared, stream, bytes: wasmBytes({ config }, plan) + outside };
}

function largestBatch(bound: OpenModel["bound"], parts: ModelPlan["parts"], most?: number): number {
  return Math.max(0, ...cutParts(bound, parts, most).flatMap((batches) => batches.map(({ bytes }) => bytes)));
}

/** What a memory grows by, not more than `bytes`. */
function wholePages(bytes: number | undefined): number {
  return bytes === undefined ? MEMORY_LIMIT : Math.min(MEMORY_LIMIT, Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES);
}

/** What stays in memory of a model that is to stream, in words. */
function residencyNote({ parts, weights }: ModelPlan): string {
  const blocks = parts.slice(1, 1 + weights.blocks.length);
  const staying = blocks.filter(({ slot }) => slot === undefined).length;
  if (parts.every(({ slot }) => slot === undefined)) return "stream: all weights fit the memory budget, and stay";
  return `stream: ${staying} of ${blocks.length} blocks stay in memory, the others are read for every image`;
}

/** E_OOM of a budget that is too small. */
function refusal(purpose: string, needed: number, got: number, instead: string): JanusError {
  return new JanusError(
    "E_OOM",
    `planning memory: to ${purpose} a budget of at least ${needed} bytes is needed, got ${got}; give it more${instead}, or take a smaller dtype or model`,
  );
}
