import { attentionScratch, keyElements, queryElements, valueElements } from "../ops/attention.js";
import { attentionInt16Scratch, headLevelBytes } from "../ops/attention-int16.js";
import { linearScratchBytes } from "../ops/linear.js";
import type { Levels } from "../ops/quantise.js";
import type { Pointer } from "../wasm/abi.js";
import { ARENA_BASE, blockElements, levelElements, roundUp } from "../wasm/abi.js";
import { ALIGNMENT, Arena, MEMORY_LIMIT } from "../wasm/memory.js";
import type { JanusConfig } from "./config.js";
import type { MatrixStorage, Placement, Weights } from "./plan-weights.js";
import { partBytes, planWeights } from "./plan-weights.js";

export type { BlockWeights, MatrixStorage, Placement, Weights } from "./plan-weights.js";

/**
 * Activations of one image, matrices in column blocks (`Blocks` of ops/context.ts); images are encoded one after another. Buffers that are never alive together
 * share memory: patches before the first block, the attention's, the MLP's, the aligner's.
 */
export interface Activations {
  /** f32 [3,S,S]: an image handed in as pixel_values. */
  readonly pixels: Pointer;
  /** u8 [S,S,3]: an image handed in as the square that pixel_values are looked up from. In the place of `pixels`: it is one or the other. */
  readonly square: Pointer;
  /** f32 [3,256]: what the levels of a square's channels become. */
  readonly levels: Pointer;
  /** f32 [P, 3*patch*patch] */
  readonly patches: Pointer;
  /** f32 [P,W]: the residual stream. */
  readonly stream: Pointer;
  /** f32 [P,W]: what a norm gives; after the last one, image_features. */
  readonly normed: Pointer;
  /** Queries, key panels and value panels of all heads (`AttentionInputs` of ops/attention.ts). */
  readonly queries: Pointer;
  readonly keys: Pointer;
  readonly values: Pointer;
  /** f32 [P,W]: the heads' outputs, side by side. */
  readonly mixed: Pointer;
  /** f32 [P,M] */
  readonly hidden: Pointer;
  /** f32 [P,D], twice: aligner layers write one and read the other. */
  readonly embeds: readonly [Pointer, Pointer];
  /** The rows of an 8-bit product: levels [P, W or M], and the scale and zero point of each. Between two products, the keys and the values of all heads in 16 bits. */
  readonly quantised: Omit<Levels, "form">;
}

/** The whole memory of a model: plain data, the same on every worker. */
export interface ModelPlan {
  readonly weights: Weights;
  readonly activations: Activations;
  /** Of what stays in memory, in execution order. */
  readonly placements: readonly Placement[];
  /** Everything, by part: those before the blocks, of each block, of the last norm, of the aligner. */
  readonly parts: readonly WeightPart[];
  /** Where the bytes of `Residency.arriving` begin. */
  readonly arriving: Pointer;
  readonly control: Pointer;
  readonly scratch: Pointer;
  readonly scratchBytes: number;
  /** First byte of what is in use only while an image is computed: pictures, sequences and what is being loaded begin here, growing the memory. */
  readonly idle: Pointer;
  /** What the memory may grow to. */
  readonly limit: number;
  /** First byte after everything planned. */
  readonly free: Pointer;
  /** Of all places for weights. */
  readonly weightBytes: number;
  readonly activationBytes: number;
}

/** Weights that are needed together. */
export interface WeightPart {
  readonly placements: readonly Placement[];
  /** Which of the places that parts take in turn it comes to; undefined of one that stays in memory. */
  readonly slot: number | undefined;
}

/** Which parts are in memory all the time, and where the others come to when they are needed. */
export interface Residency {
  /** By part: those before the blocks, of each block, of the last norm, of the aligner. */
  readonly stays: readonly boolean[];
  /** Places for those that do not stay, each as large as the largest of them, taken in turn. */
  readonly slots: number;
  /** Bytes beside the weights for what comes. */
  readonly arriving: number;
  /** What the memory may grow to. */
  readonly limit: number;
}

/**
 * Lays out control block, weights in execution order, the workers' scratch and activations. Without a `residency` all weights stay in memory. E_OOM beyond
 * 4 GiB.
 */
export function planModel(
  config: JanusConfig,
  storage: (role: string) => MatrixStorage,
  threads: number,
  controlBytes: number,
  residency?: Residency,
): ModelPlan {
  const arena = new Arena(ARENA_BASE);
  const control = arena.take(controlBytes);
  const weightsBegin = arena.end;
  const slots = residency && planSlots(arena, config, storage, residency);
  const { weights, parts: placed } = planWeights(config, storage, (part) => {
    const slot = slots?.slotOf[part];
    return slot === undefined ? arena : new Arena(slots!.begins[slot]!);
  });
  const parts = placed.map((placements, part) => ({ placements, slot: slots?.slotOf[part] }));
  const weightsEnd = arena.end;
  const arriving = arena.take(residency?.arriving ?? 0);
  const shape = { tokens: config.tokens, heads: config.heads, headWidth: config.headWidth };
  const attending = Math.max(attentionScratch(shape), attentionInt16Scratch(shape));
  const scratchBytes = roundUp(Math.max(linearScratchBytes(config.tokens), attending), 64);
  const scratch = arena.take(scratchBytes * threads);
  const eights = weights.blocks
    .flatMap(({ qkv, proj, fc1, fc2 }) => [qkv, proj, fc1, fc2])
    .filter((layer) => "scales" in layer);
  const { activations, idle } = planActivations(arena, config, Math.max(0, ...eights.map(({ k }) => k)));
  return {
    weights,
    activations,
    placements: parts.filter(({ slot }) => slot === undefined).flatMap(({ placements }) => placements),
    parts,
    control,
    arriving,
    scratch,
    scratchBytes,
    idle,
    limit: residency?.limit ?? MEMORY_LIMIT,
    free: arena.end,
    weightBytes: weightsEnd - weightsBegin,
    activationBytes: arena.end - weightsEnd,
  };
}

interface Slots {
  readonly begins: readonly Pointer[];
  /** By part; undefined where it stays. */
  readonly slotOf: readonly (number | undefined)[];
}

/** Places for the parts that come and go, which take them in turn: the one that is computed on is never that of the next. */
function planSlots(
  arena: Arena,
  config: JanusConfig,
  storage: (role: string) => MatrixStorage,
  { stays, slots }: Residency,
): Slots {
  const bytes = partBytes(config, storage);
  const largest = Math.max(0, ...bytes.filter((_, part) => !stays[part]));
  const begins = Array.from({ length: slots }, () => arena.take(largest));
  let coming = 0;
  return { begins, slotOf: bytes.map((_, part) => (stays[part] ? undefined : coming++ % slots)) };
}

/** `widest`: columns of the widest rows that are quantised. From `idle` on nothing is in use between images. */
function planActivations(
  arena: Arena,
  config: JanusConfig,
  widest: number,
): { readonly activations: Activations; readonly idle: Pointer } {
  const { tokens, width, dim } = config;
  const shape = { tokens, heads: config.heads, headWidth: config.headWidth };
  const matrix = (columns: number): number => blockElements(tokens, columns);
  const base = arena.end;
  let end: number = base;
  /** A group of buffers alive together, laid over the other groups. */
  const group = (): ((elements: number) => Pointer) => {
    const overlay = new Arena(base);
    return (count) => {
      const at = overlay.take(count * 4);
      end = Math.max(end, overlay.end);
      return at;
    };
  };
  const patching = group();
  const attending = group();
  const feeding = group();
  const aligning = group();
  const pixels = patching(3 * config.imageSize ** 2);
  const overlaid = {
    pixels,
    square: pixels,
    levels: patching(3 * 256),
    patches: patching(matrix(3 * config.patchSize ** 2)),
    queries: attending(queryElements(shape)),
    keys: attending(keyElements(shape)),
    values: attending(valueElements(shape)),
    mixed: attending(matrix(width)),
    hidden: feeding(matrix(config.mlpWidth)),
    embeds: [aligning(matrix(dim)), aligning(matrix(dim))] as const,
  };
  arena.take(end - base);
  const perRow = widest > 0 ? tokens * 4 : 0;
  const activations = {
    ...overlaid,
    stream: arena.take(matrix(width) * 4),
    normed: arena.take(matrix(width) * 4),
    quantised: {
      at: arena.take(widest > 0 ? Math.max(levelElements(tokens, widest) * 2, headLevelBytes(shape)) : 0),
      scales: arena.take(perRow),
      zeros: arena.take(perRow),
    },
  };
  // A picture becomes the square or the pixels that the next program begins with: those stay where they are.
  return { activations, idle: (base + roundUp(3 * config.imageSize ** 2 * 4, ALIGNMENT)) as Pointer };
}
