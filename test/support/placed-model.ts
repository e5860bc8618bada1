import type { JanusConfig } from "#dist/model/config.js";
import type { Activations, BlockWeights, Weights } from "#dist/model/plan.js";
import { keyElements, queryElements, valueElements } from "#dist/ops/attention.js";
import type { Norm } from "#dist/ops/layernorm.js";
import type { Linear } from "#dist/ops/linear.js";
import { blockElements, NULL, PANEL, panelElements, roundUp, STORAGE } from "#dist/wasm/abi.js";
import { random } from "./numbers.js";
import type { Team } from "./teams.js";

/** A layer's numbers, row-major as a checkpoint has them. */
export interface LinearValues {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly columns: number;
  readonly k: number;
}

/** f32 weights of a tower, the same for the same config; layers by role. */
export function linearValues(role: string, columns: number, k: number): LinearValues {
  const seed = [...role].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), 0x811c9dc5);
  return { weight: random(columns * k, seed, 1 / Math.sqrt(k)), bias: random(columns, seed + 1, 0.1), columns, k };
}

export function normValues(role: string, width: number): { weight: Float32Array; bias: Float32Array } {
  const { weight, bias } = linearValues(role, width, 1);
  return { weight: weight.map((value) => value + 1.5), bias };
}

export function positions(config: JanusConfig): Float32Array {
  return linearValues("pos_embed", config.tokens, config.width).weight;
}

function placeLinear(team: Team, role: string, columns: number, k: number): Linear {
  const values = linearValues(role, columns, k);
  const panels = new Float32Array(panelElements(columns, k));
  for (let n = 0; n < columns; n++) {
    for (let i = 0; i < k; i++) {
      panels[Math.floor(n / PANEL) * PANEL * k + i * PANEL + (n % PANEL)] = values.weight[n * k + i]!;
    }
  }
  const bias = new Float32Array(roundUp(columns, PANEL));
  bias.set(values.bias);
  return { panels: team.put(panels), bias: team.put(bias), columns, k, storage: STORAGE.f32 };
}

/** Puts the weights of the first `blocks` blocks into a team's memory. */
export function placeWeights(team: Team, config: JanusConfig, blocks = config.blocks): Weights {
  const { width, mlpWidth, dim } = config;
  const linear = (role: string, columns: number, k: number): Linear => placeLinear(team, role, columns, k);
  const norm = (role: string): Norm => {
    const { weight, bias } = normValues(role, width);
    return { weight: team.put(weight), bias: team.put(bias), width, eps: config.layerNormEps };
  };
  const block = (n: number): BlockWeights => ({
    norm1: norm(`${n}.norm1`),
    qkv: linear(`${n}.qkv`, 3 * width, width),
    proj: linear(`${n}.proj`, width, width),
    norm2: norm(`${n}.norm2`),
    fc1: linear(`${n}.fc1`, mlpWidth, width),
    fc2: linear(`${n}.fc2`, width, mlpWidth),
  });
  return {
    patchEmbed: linear("patch_embed", width, 3 * config.patchSize ** 2),
    posEmbed: team.put(positions(config)),
    blocks: Array.from({ length: blocks }, (_, n) => block(n)),
    norm: norm("norm"),
    aligner: Array.from({ length: config.aligner.depth }, (_, n) => linear(`aligner.${n}`, dim, n === 0 ? width : dim)),
  };
}

/** Buffers of their own for everything, NaN until they are written. */
export function placeActivations(team: Team, config: JanusConfig): Activations {
  const { tokens, width, mlpWidth, dim, imageSize, patchSize } = config;
  const floats = (count: number) => team.take(count * 4);
  const matrix = (columns: number) => floats(blockElements(tokens, columns));
  return {
    quantised: { at: NULL, scales: NULL, zeros: NULL },
    pixels: floats(3 * imageSize ** 2),
    square: team.take(3 * imageSize ** 2),
    levels: floats(3 * 256),
    patches: matrix(3 * patchSize ** 2),
    stream: matrix(width),
    normed: matrix(width),
    queries: floats(queryElements(config)),
    keys: floats(keyElements(config)),
    values: floats(valueElements(config)),
    mixed: matrix(width),
    hidden: matrix(mlpWidth),
    embeds: [matrix(dim), matrix(dim)],
  };
}
