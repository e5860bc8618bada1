import { attention } from "../ops/attention.js";
import { attentionInt16 } from "../ops/attention-int16.js";
import type { ProductContext } from "../ops/context.js";
import { blockRows, plainRows } from "../ops/context.js";
import { layernorm } from "../ops/layernorm.js";
import { linear, linearHeads, rowsFor } from "../ops/linear.js";
import { patchify } from "../ops/patchify.js";
import { patchifyRgb } from "../ops/patchify-rgb.js";
import { EPILOGUE, type Pointer } from "../wasm/abi.js";
import type { JanusConfig } from "./config.js";
import type { Activations, Weights } from "./plan.js";

/** Called with a stage's name and its [P,W] buffer in column blocks, on every worker. Stages that are not tapped cost nothing. */
export type Tap = (stage: string, at: Pointer) => void;

/** How an image is handed in: pixel_values in activations.pixels, or activations.square with activations.levels. */
export type ImageForm = "pixels" | "square";

/**
 * Some of the steps of the tower, [from, to): 0 is what comes before the blocks, 1 the first block, `blocks` + 1 the last norm. Each needs its part of the weights
 * (`ModelPlan.parts`), and leaves all that the next one needs in the activations.
 */
export interface Steps {
  readonly from: number;
  readonly to: number;
}

/** All of them. */
export function towerSteps({ blocks }: Pick<JanusConfig, "blocks">): Steps {
  return { from: 0, to: blocks + 2 };
}

/** The step after the tower: the aligner, in one. */
export function alignerStep(config: Pick<JanusConfig, "blocks">): Steps {
  const { to } = towerSteps(config);
  return { from: to, to: to + 1 };
}

/**
 * The vision tower on one image: activations.pixels [3,S,S], or the same numbers by activations.square [S,S,3] and activations.levels [3,256], to
 * activations.normed [P,W], in column blocks.
 *
 * siglip_vit.py VisionTransformer.forward_features with ignore_head, no class token and no attention pooling; stages are tapped after the
 * position add (`vision.patch_embed`) and after each block (`vision.block.N`).
 */
export function encodeImage(
  x: ProductContext,
  config: JanusConfig,
  w: Weights,
  a: Activations,
  form: ImageForm,
  steps: Steps,
  tap?: Tap,
): void {
  const { tokens: rows, width } = config;
  const patches = { at: a.patches, rows };
  const stream = { at: a.stream, rows };
  const normed = { at: a.normed, rows };
  const mixed = { at: a.mixed, rows };
  const hidden = { at: a.hidden, rows };
  const heads = { tokens: rows, heads: config.heads, headWidth: config.headWidth };

  const taken = (step: number): boolean => steps.from <= step && step < steps.to;

  if (taken(0)) {
    // x = self.patch_embed(x)
    // x = x + self.pos_embed
    if (form === "pixels") patchify(x, a.patches, a.pixels, config.imageSize, config.patchSize);
    else patchifyRgb(x, a.patches, a.square, a.levels, config.imageSize, config.patchSize);
    linear(x, stream, patches, w.patchEmbed, { residual: plainRows(w.posEmbed, width) });
    tap?.("vision.patch_embed", a.stream);
  }

  w.blocks.forEach((block, n) => {
    if (!taken(n + 1)) return;
    // x = x + self.attn(self.norm1(x))
    const toAttention = rowsFor(x, normed, block.qkv);
    layernorm(x, toAttention, stream, block.norm1);
    linearHeads(x, a, toAttention, block.qkv, heads);
    if ("scales" in block.qkv) attentionInt16(x, mixed, a, heads);
    else attention(x, mixed, a, heads);
    linear(x, stream, mixed, block.proj, { residual: blockRows(stream) });
    // x = x + self.mlp(self.norm2(x))
    const toMlp = rowsFor(x, normed, block.fc1);
    layernorm(x, toMlp, stream, block.norm2);
    linear(x, hidden, toMlp, block.fc1, { epilogue: EPILOGUE.gelu });
    linear(x, stream, hidden, block.fc2, { residual: blockRows(stream) });
    tap?.(`vision.block.${n}`, a.stream);
  });

  // x = self.norm(x)
  if (taken(w.blocks.length + 1)) layernorm(x, normed, stream, w.norm);
}
