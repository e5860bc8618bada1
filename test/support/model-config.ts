import type { JanusConfig } from "#dist/model/config.js";

export interface Tower {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly width: number;
  readonly blocks: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly dim: number;
  /** Linears of the aligner. */
  readonly depth: number;
}

/** Odd wherever a tower can be odd: 9 tokens, heads of 5, an MLP of 13. */
export const ODD_TOWER: Tower = {
  imageSize: 12,
  patchSize: 4,
  width: 10,
  blocks: 2,
  heads: 2,
  mlpWidth: 13,
  dim: 7,
  depth: 2,
};

/** deepseek-ai/Janus-Pro-1B. */
export const JANUS_PRO_1B: Tower = {
  imageSize: 384,
  patchSize: 16,
  width: 1024,
  blocks: 24,
  heads: 16,
  mlpWidth: 4096,
  dim: 2048,
  depth: 2,
};

export function modelConfig(tower: Tower): JanusConfig {
  const grid = tower.imageSize / tower.patchSize;
  const half = [0.5, 0.5, 0.5] as const;
  return {
    ...tower,
    layout: "original",
    generates: true,
    grid,
    tokens: grid * grid,
    headWidth: tower.width / tower.heads,
    layerNormEps: 1e-6,
    aligner: { type: tower.depth === 0 ? "identity" : tower.depth === 1 ? "linear" : "mlp_gelu", depth: tower.depth },
    vocabRows: 100,
    maxPositions: 64,
    preprocess: {
      imageSize: tower.imageSize,
      minSize: 1,
      mean: half,
      std: half,
      rescaleFactor: 1 / 255,
      doNormalize: true,
      background: [127, 127, 127],
    },
    processor: {
      imageTag: "<image_placeholder>",
      numImageTokens: grid * grid,
      sftFormat: "deepseek",
      systemPrompt: undefined,
      imageTokenId: undefined,
    },
    warnings: [],
  };
}
