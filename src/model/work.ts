import type { JanusConfig } from "./config.js";

/** Floating-point operations of one image in the tower and the aligner, products alone: 389e9 of a Janus-Pro-1B, 0.06e9 of the demo model. */
export function imageFlop(config: JanusConfig): number {
  const { width, tokens, mlpWidth, blocks, dim, aligner } = config;
  const patches = 3 * config.patchSize ** 2 * width;
  const linears = width * (4 * width + 2 * mlpWidth); // qkv, proj, fc1, fc2
  const attention = 2 * tokens * width; // q·kᵀ and P·v
  const projection = aligner.depth === 0 ? 0 : width * dim + (aligner.depth - 1) * dim ** 2;
  return 2 * tokens * (patches + blocks * (linears + attention) + projection);
}
