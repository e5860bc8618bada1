import type { Weights } from "#dist/model/plan.js";

/** Which argument of a kernel is the address of a layer's weights, or of its bias: by that a call is known to work for the layer. */
const LAYER_ARGUMENT: Readonly<Record<string, number>> = {
  multiply: 2,
  multiplyInt8: 2,
  finish: 2,
  finishHeads: 4,
};

/** What a call of a kernel counts as: the layer that it works for, or its own name. */
export function phaseNames(weights: Weights): (kernel: string, args: readonly number[]) => string {
  const layers = new Map<number | undefined, string>();
  const add = (name: string, { panels, bias }: Weights["patchEmbed"]): unknown =>
    layers.set(panels, name).set(bias, name);
  add("patch_embed", weights.patchEmbed);
  for (const layer of weights.aligner) add("aligner", layer);
  for (const block of weights.blocks) for (const name of ["qkv", "proj", "fc1", "fc2"] as const) add(name, block[name]);
  return (kernel, args) => layers.get(args[LAYER_ARGUMENT[kernel] ?? -1]) ?? kernel;
}
