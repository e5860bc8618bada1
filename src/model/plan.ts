import { attentionScratch, keyElements, queryElements, valueElements } from "../ops/attention.js";
import { attentionInt16Scratch, headLevelBytes } from "../ops/attention-int16.js";
import type { Norm } from "../ops/layernorm.js";
import type { Linear } from "../ops/linear.js";
import { linearScratchBytes } from "../ops/linear.js";
import type { Levels } from "../ops/quantise.js";
import type { Pointer, Storage } from "../wasm/abi.js";
import {
  ARENA_BASE,
  blockElements,
  int8PanelBytes,
  levelElements,
  PANEL,
  panelElements,
  roundUp,
  STORAGE_BYTES,
} from "../wasm/abi.js";
import { Arena } from "../wasm/memory.js";

import type { JanusConfig } from "./config.js";

/** One transformer block's weights, named as in siglip_vit.py. */
export interface BlockWeights {
  readonly norm1: Norm;
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly norm2: Norm;
  readonly fc1: Linear;
  readonly fc2: Linear;
}

/** Every weight of the tower and the aligner, bound to an address. */
export interface Weights {
  readonly patchEmbed: Linear;
  readonly posEmbed: Pointer;
  readonly blocks: readonly BlockWeights[];
  readonly norm: Norm;
  readonly aligner: readonly Linear[];
}

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

/**
 * Where one stored tensor goes: rows to columns of panels, in their own precision or in 8 bits; elements one after another, widened to f32 or, of a packed
 * checkpoint, as they are.
 */
export type Placement =
  | { readonly role: string; readonly kind: "panels"; readonly at: Pointer; readonly k: number; readonly wide: boolean }
  | {
      readonly role: string;
      readonly kind: "int8";
      readonly at: Pointer;
      readonly scales: Pointer;
      readonly k: number;
    }
  | { readonly role: string; readonly kind: "vector" | "copy"; readonly at: Pointer };

/** The whole memory of a model: plain data, the same on every worker. */
export interface ModelPlan {
  readonly weights: Weights;
  readonly activations: Activations;
  /** In execution order. */
  readonly placements: readonly Placement[];
  readonly control: Pointer;
  readonly scratch: Pointer;
  readonly scratchBytes: number;
  /** First byte after everything planned: pictures, sequences and what is being loaded use what follows, growing the memory. */
  readonly free: Pointer;
  readonly weightBytes: number;
  readonly activationBytes: number;
}

/** How a matrix is stored in the checkpoint, whether in panels already, and what its panels are in: the same, f32 (dtype "fp32") or 8 bits. */
export interface MatrixStorage {
  readonly packed: boolean;
  readonly stored: Storage | "int8";
  readonly panels: Storage | "int8";
}

/** Lays out control block, weights in execution order, activations and the workers' scratch. E_OOM beyond 4 GiB. */
export function planModel(
  config: JanusConfig,
  storage: (role: string) => MatrixStorage,
  threads: number,
  controlBytes: number,
): ModelPlan {
  const arena = new Arena(ARENA_BASE);
  const control = arena.take(controlBytes);
  const weightsBegin = arena.end;
  const placements: Placement[] = [];
  /** Four bytes for each of `count`, to whole panels. */
  const perColumn = (count: number): Pointer => arena.take(roundUp(count, PANEL) * 4);
  const vector = (role: string, count: number): Pointer => {
    const at = perColumn(count);
    placements.push({ role, kind: "vector", at });
    return at;
  };
  const linear = (role: string, columns: number, k: number): Linear => {
    const { packed, stored, panels: kept } = storage(`${role}.weight`);
    const weight = `${role}.weight`;
    if (kept === "int8") {
      const panels = arena.take(int8PanelBytes(columns, k));
      const scales = perColumn(columns);
      if (packed)
        placements.push(
          { role: weight, kind: "copy", at: panels },
          { role: `${role}.scales`, kind: "vector", at: scales },
        );
      else placements.push({ role: weight, kind: "int8", at: panels, scales, k });
      const bias = vector(`${role}.bias`, columns);
      return { panels, scales, bias, sums: perColumn(columns), columns, k };
    }
    const panels = arena.take(panelElements(columns, k) * STORAGE_BYTES[kept]);
    const wide = kept !== stored;
    if (packed) placements.push({ role: weight, kind: wide ? "vector" : "copy", at: panels });
    else placements.push({ role: weight, kind: "panels", at: panels, k, wide });
    return { panels, bias: vector(`${role}.bias`, columns), columns, k, storage: kept };
  };
  const norm = (role: string): Norm => ({
    weight: vector(`${role}.weight`, config.width),
    bias: vector(`${role}.bias`, config.width),
    width: config.width,
    eps: config.layerNormEps,
  });

  const patchEmbed = linear("patch_embed", config.width, 3 * config.patchSize ** 2);
  const posEmbed = vector("pos_embed", config.tokens * config.width);
  const blocks: BlockWeights[] = [];
  for (let n = 0; n < config.blocks; n++) {
    blocks.push({
      norm1: norm(`blocks.${n}.norm1`),
      qkv: linear(`blocks.${n}.qkv`, 3 * config.width, config.width),
      proj: linear(`blocks.${n}.proj`, config.width, config.width),
      norm2: norm(`blocks.${n}.norm2`),
      fc1: linear(`blocks.${n}.fc1`, config.mlpWidth, config.width),
      fc2: linear(`blocks.${n}.fc2`, config.width, config.mlpWidth),
    });
  }
  const finalNorm = norm("norm");
  const aligner: Linear[] = [];
  for (let n = 0; n < config.aligner.depth; n++) {
    aligner.push(linear(`aligner.layers.${n}`, config.dim, n === 0 ? config.width : config.dim));
  }

  const activationsBegin = arena.end;
  const eights = blocks
    .flatMap(({ qkv, proj, fc1, fc2 }) => [qkv, proj, fc1, fc2])
    .filter((layer) => "scales" in layer);
  const activations = planActivations(arena, config, Math.max(0, ...eights.map(({ k }) => k)));
  const shape = { tokens: config.tokens, heads: config.heads, headWidth: config.headWidth };
  const attending = Math.max(attentionScratch(shape), attentionInt16Scratch(shape));
  const scratchBytes = roundUp(Math.max(linearScratchBytes(config.tokens), attending), 64);
  const scratch = arena.take(scratchBytes * threads);
  return {
    weights: { patchEmbed, posEmbed, blocks, norm: finalNorm, aligner },
    activations,
    placements,
    control,
    scratch,
    scratchBytes,
    free: arena.end,
    weightBytes: activationsBegin - weightsBegin,
    activationBytes: arena.end - activationsBegin,
  };
}

/** `widest`: columns of the widest rows that are quantised. */
function planActivations(arena: Arena, config: JanusConfig, widest: number): Activations {
  const { tokens, width, dim } = config;
  const shape = { tokens, heads: config.heads, headWidth: config.headWidth };
  const matrix = (columns: number): number => blockElements(tokens, columns);
  const stream = arena.take(matrix(width) * 4);
  const normed = arena.take(matrix(width) * 4);
  const perRow = widest > 0 ? tokens * 4 : 0;
  const quantised = {
    at: arena.take(widest > 0 ? Math.max(levelElements(tokens, widest) * 2, headLevelBytes(shape)) : 0),
    scales: arena.take(perRow),
    zeros: arena.take(perRow),
  };
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
  const planned = {
    stream,
    normed,
    quantised,
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
  return planned;
}
