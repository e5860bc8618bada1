import { JanusError } from "../errors.js";
import type { ModelPlan } from "../model/plan.js";
import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE, roundUp } from "../wasm/abi.js";
import { MEMORY_LIMIT, PAGE_BYTES } from "../wasm/memory.js";
import type { OpenModel } from "./load.js";
import { planMemory } from "./load.js";
import type { DTypeOption } from "./options.js";
import { sequenceBytes } from "./stages.js";
import { planStaging, ROOMS } from "./staging.js";
import type { StreamPlan } from "./streamed-weights.js";
import { cutParts, isInPlace, loadingSizes } from "./weights.js";

/** The least room that is tried is this part of the largest one: 1.6 MB of a block of 12.6. */
const LEAST_ROOM = 1 / 8;

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

/**
 * Plans what is in memory when, within the budget: all weights, or as many of the first parts as there is room for and the others in turn. E_OOM says what is
 * needed at least.
 */
export function planResidency(model: OpenModel, options: ResidencyOptions): PlannedResidency {
  const { residency, memoryBudget: budget } = options;
  if (budget === undefined)
    return residency === "resident" ? planResident(model, options) : planStreamed(model, options, 0, LEAST_ROOM);
  const resident = planResident(model, options);
  if (resident.bytes <= budget) return resident;
  if (residency === "resident")
    throw refusal("keep this model resident", resident.bytes, budget, ', or stream it (residency "stream")');
  for (let staying = comingParts(model).length - 1; staying >= 0; staying--) {
    const planned = planStreamed(model, options, staying);
    if (planned.bytes <= budget) return planned;
  }
  const least = planStreamed(model, options, 0, LEAST_ROOM);
  if (least.bytes <= budget) return least;
  throw refusal("stream this model", least.bytes, budget, "");
}

/** The parts that may come and go: all but the last norm, a few kilobytes, and an aligner that has no layers. */
function comingParts({ config: { blocks, aligner } }: OpenModel): number[] {
  const before = Array.from({ length: blocks + 1 }, (_, part) => part);
  return aligner.depth > 0 ? [...before, blocks + 2] : before;
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

/** Bytes of the memory, sequences of any length and square pictures included. */
function wasmBytes({ config }: Pick<OpenModel, "config">, { idle, free }: ModelPlan): number {
  return roundUp(Math.max(free, idle + sequenceBytes(config)), PAGE_BYTES);
}

/** What a memory grows by, not more than `bytes`. */
function wholePages(bytes: number | undefined): number {
  return bytes === undefined ? MEMORY_LIMIT : Math.min(MEMORY_LIMIT, Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES);
}

function refusal(purpose: string, needed: number, got: number, instead: string): JanusError {
  return new JanusError(
    "E_OOM",
    `planning memory: to ${purpose} a budget of at least ${needed} bytes is needed, got ${got}; give it more${instead}, or take a smaller dtype or model`,
  );
}
