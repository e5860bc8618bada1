import { add } from "../ops/add.js";
import { attention } from "../ops/attention.js";
import type { ProductContext } from "../ops/context.js";
import { linear } from "../ops/gemm.js";
import { layernorm } from "../ops/layernorm.js";
import { patchify } from "../ops/patchify.js";
import { EPILOGUE, type Pointer } from "../wasm/abi.js";
import type { JanusConfig } from "./config.js";
import type { Activations, Weights } from "./plan.js";

/** Called with a stage's name and its [P,W] buffer, on every worker. Stages that are not tapped cost nothing. */
export type Tap = (stage: string, at: Pointer) => void;

/**
 * The vision tower on one image: activations.pixels [3,S,S] to activations.normed [P,W].
 *
 * siglip_vit.py VisionTransformer.forward_features with ignore_head, no class token and no attention pooling; stages are tapped after the
 * position add (`vision.patch_embed`) and after each block (`vision.block.N`).
 */
export function encodeImage(x: ProductContext, config: JanusConfig, w: Weights, a: Activations, tap?: Tap): void {
  const { tokens, width } = config;
  const stream = { at: a.stream, stride: width };
  const normed = { at: a.normed, stride: width };
  const qkv = { at: a.qkv, stride: 3 * width };
  const mixed = { at: a.mixed, stride: width };
  const hidden = { at: a.hidden, stride: config.mlpWidth };
  const heads = { tokens, heads: config.heads, headWidth: config.headWidth };

  // x = self.patch_embed(x)
  patchify(x, a.patches, a.pixels, config.imageSize, config.patchSize);
  linear(x, stream, { at: a.patches, stride: 3 * config.patchSize ** 2 }, w.patchEmbed, tokens);
  // x = x + self.pos_embed
  add(x, a.stream, a.stream, w.posEmbed, tokens * width);
  tap?.("vision.patch_embed", a.stream);

  w.blocks.forEach((block, n) => {
    // x = x + self.attn(self.norm1(x))
    layernorm(x, a.normed, a.stream, block.norm1, tokens);
    linear(x, qkv, normed, block.qkv, tokens);
    attention(x, mixed, qkv, a.keys, a.values, heads);
    linear(x, stream, mixed, block.proj, tokens, { residual: stream });
    // x = x + self.mlp(self.norm2(x))
    layernorm(x, a.normed, a.stream, block.norm2, tokens);
    linear(x, hidden, normed, block.fc1, tokens, { epilogue: EPILOGUE.gelu });
    linear(x, stream, hidden, block.fc2, tokens, { residual: stream });
    tap?.(`vision.block.${n}`, a.stream);
  });

  // x = self.norm(x)
  layernorm(x, a.normed, a.stream, w.norm, tokens);
}
