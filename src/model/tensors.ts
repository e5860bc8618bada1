import type { TensorRequest } from "../weights/bound-tensor.js";
import type { JanusConfig } from "./config.js";

/** Every tensor of the forward pass, by role and canonical shape, in the order in which it is first needed. */
export function requiredTensors(config: JanusConfig): TensorRequest[] {
  const { width, patchSize, tokens, mlpWidth, blocks, aligner, dim, vocabRows } = config;
  const requests: TensorRequest[] = [];
  const add = (role: string, ...shape: number[]): void => {
    requests.push({ role, shape });
  };
  const linear = (role: string, out: number, into: number): void => {
    add(`${role}.weight`, out, into);
    add(`${role}.bias`, out);
  };
  const norm = (role: string): void => {
    add(`${role}.weight`, width);
    add(`${role}.bias`, width);
  };
  add("patch_embed.weight", width, 3, patchSize, patchSize);
  add("patch_embed.bias", width);
  add("pos_embed", tokens, width);
  for (let block = 0; block < blocks; block++) {
    const at = `blocks.${block}`;
    norm(`${at}.norm1`);
    linear(`${at}.qkv`, 3 * width, width);
    linear(`${at}.proj`, width, width);
    norm(`${at}.norm2`);
    linear(`${at}.fc1`, mlpWidth, width);
    linear(`${at}.fc2`, width, mlpWidth);
  }
  norm("norm");
  for (let layer = 0; layer < aligner.depth; layer++) linear(`aligner.layers.${layer}`, dim, layer === 0 ? width : dim);
  add("embed_tokens.weight", vocabRows, dim);
  return requests;
}
