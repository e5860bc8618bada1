import type { Norm } from "../ops/layernorm.js";
import type { Linear } from "../ops/linear.js";
import type { Pointer, Storage } from "../wasm/abi.js";
import { int8PanelBytes, PANEL, panelElements, roundUp, STORAGE_BYTES } from "../wasm/abi.js";
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

/** How a matrix is stored in the checkpoint, whether in panels already, and what its panels are in: the same, f32 (dtype "fp32") or 8 bits. */
export interface MatrixStorage {
  readonly packed: boolean;
  readonly stored: Storage | "int8";
  readonly panels: Storage | "int8";
}

/**
 * Lays out the weights in execution order, by part: what comes before the blocks, each block, the last norm, the aligner. Each part lies one tensor after another in the
 * arena that is given for it. E_OOM beyond 4 GiB.
 */
export function planWeights(
  config: JanusConfig,
  storage: (role: string) => MatrixStorage,
  arenaOf: (part: number) => Arena,
): { readonly weights: Weights; readonly parts: readonly (readonly Placement[])[] } {
  const parts: Placement[][] = [];
  const begin = (): PartPlanner => {
    const placements: Placement[] = [];
    return new PartPlanner(config, storage, arenaOf(parts.push(placements) - 1), placements);
  };
  const first = begin();
  const patchEmbed = first.linear("patch_embed", config.width, 3 * config.patchSize ** 2);
  const posEmbed = first.vector("pos_embed", config.tokens * config.width);
  const blocks: BlockWeights[] = [];
  for (let n = 0; n < config.blocks; n++) {
    const block = begin();
    blocks.push({
      norm1: block.norm(`blocks.${n}.norm1`),
      qkv: block.linear(`blocks.${n}.qkv`, 3 * config.width, config.width),
      proj: block.linear(`blocks.${n}.proj`, config.width, config.width),
      norm2: block.norm(`blocks.${n}.norm2`),
      fc1: block.linear(`blocks.${n}.fc1`, config.mlpWidth, config.width),
      fc2: block.linear(`blocks.${n}.fc2`, config.width, config.mlpWidth),
    });
  }
  const norm = begin().norm("norm");
  const last = begin();
  const aligner: Linear[] = [];
  for (let n = 0; n < config.aligner.depth; n++) {
    aligner.push(last.linear(`aligner.layers.${n}`, config.dim, n === 0 ? config.width : config.dim));
  }
  return { weights: { patchEmbed, posEmbed, blocks, norm, aligner }, parts };
}

/** Bytes of each part, as `planWeights` lays it out. */
export function partBytes(config: JanusConfig, storage: (role: string) => MatrixStorage): number[] {
  const arenas: Arena[] = [];
  planWeights(config, storage, (part) => {
    arenas[part] = new Arena(0);
    return arenas[part];
  });
  return arenas.map(({ end }) => end);
}

/** Lays out the tensors of a part, one after another, and notes where each comes to lie. */
class PartPlanner {
  readonly #config: JanusConfig;
  readonly #storage: (role: string) => MatrixStorage;
  readonly #arena: Arena;
  readonly #placements: Placement[];

  constructor(config: JanusConfig, storage: (role: string) => MatrixStorage, arena: Arena, placements: Placement[]) {
    this.#config = config;
    this.#storage = storage;
    this.#arena = arena;
    this.#placements = placements;
  }

  vector(role: string, count: number): Pointer {
    const at = this.#perColumn(count);
    this.#placements.push({ role, kind: "vector", at });
    return at;
  }

  linear(role: string, columns: number, k: number): Linear {
    const weight = `${role}.weight`;
    const { packed, stored, panels: kept } = this.#storage(weight);
    if (kept === "int8") {
      const panels = this.#arena.take(int8PanelBytes(columns, k));
      const scales = this.#perColumn(columns);
      if (packed)
        this.#placements.push(
          { role: weight, kind: "copy", at: panels },
          { role: `${role}.scales`, kind: "vector", at: scales },
        );
      else this.#placements.push({ role: weight, kind: "int8", at: panels, scales, k });
      const bias = this.vector(`${role}.bias`, columns);
      return { panels, scales, bias, sums: this.#perColumn(columns), columns, k };
    }
    const panels = this.#arena.take(panelElements(columns, k) * STORAGE_BYTES[kept]);
    const wide = kept !== stored;
    if (packed) this.#placements.push({ role: weight, kind: wide ? "vector" : "copy", at: panels });
    else this.#placements.push({ role: weight, kind: "panels", at: panels, k, wide });
    return { panels, bias: this.vector(`${role}.bias`, columns), columns, k, storage: kept };
  }

  norm(role: string): Norm {
    const { width, layerNormEps: eps } = this.#config;
    return { weight: this.vector(`${role}.weight`, width), bias: this.vector(`${role}.bias`, width), width, eps };
  }

  /** Four bytes for each of `count`, to whole panels. */
  #perColumn(count: number): Pointer {
    return this.#arena.take(roundUp(count, PANEL) * 4);
  }
}
