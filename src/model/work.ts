import type { Linear } from "../ops/linear.js";
import type { JanusConfig } from "./config.js";
import type { Weights } from "./plan.js";

/** Floating-point operations of one image in the tower and the aligner, products alone: 389e9 of a Janus-Pro-1B, 0.06e9 of the demo model. */
export function imageFlop(config: JanusConfig, w: Weights): number {
  const linears: Linear[] = [w.patchEmbed, ...w.aligner];
  for (const { qkv, proj, fc1, fc2 } of w.blocks) linears.push(qkv, proj, fc1, fc2);
  const products = linears.reduce((sum, { columns, k }) => sum + columns * k, 0);
  const attention = config.blocks * 2 * config.tokens * config.width; // q·kᵀ and P·v
  return 2 * config.tokens * (products + attention);
}
