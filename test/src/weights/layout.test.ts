import { suite } from "uvu";
import * as assert from "uvu/assert";
import { detectLayout } from "#dist/weights/layout.js";
import { refuses } from "../../support/refusal.js";

const test = suite("weights/layout");

const TOWER = "vision_model.vision_tower.";

test("roles of the original", () => {
  const { name, stored } = detectLayout([`${TOWER}pos_embed`], "m");
  assert.is(name, "original");
  for (const [role, expected] of [
    ["patch_embed.weight", `${TOWER}patch_embed.proj.weight`],
    ["patch_embed.bias", `${TOWER}patch_embed.proj.bias`],
    ["pos_embed", `${TOWER}pos_embed`],
    ["blocks.0.norm1.weight", `${TOWER}blocks.0.norm1.weight`],
    ["blocks.23.qkv.bias", `${TOWER}blocks.23.attn.qkv.bias`],
    ["blocks.7.proj.weight", `${TOWER}blocks.7.attn.proj.weight`],
    ["blocks.7.norm2.bias", `${TOWER}blocks.7.norm2.bias`],
    ["blocks.7.fc1.weight", `${TOWER}blocks.7.mlp.fc1.weight`],
    ["blocks.7.fc2.bias", `${TOWER}blocks.7.mlp.fc2.bias`],
    ["norm.weight", `${TOWER}norm.weight`],
    ["aligner.layers.0.weight", "aligner.layers.0.weight"],
    ["aligner.layers.1.bias", "aligner.layers.2.bias"],
    ["embed_tokens.weight", "language_model.model.embed_tokens.weight"],
    ["language_model.model.layers.3.mlp.up_proj.weight", "language_model.model.layers.3.mlp.up_proj.weight"],
    ["language_model.lm_head.weight", "language_model.lm_head.weight"],
  ] as const)
    assert.equal(stored(role), [expected]);
});

test("the one linear of a linear projector has no index", () => {
  const { stored } = detectLayout(["aligner.layers.weight", `${TOWER}pos_embed`], "m");
  assert.equal(stored("aligner.layers.0.bias"), ["aligner.layers.bias"]);
});

test("roles of transformers' port, with and without the leading model.", () => {
  for (const prefix of ["model.", ""]) {
    const { name, stored } = detectLayout([`${prefix}vision_model.post_layernorm.bias`], "m");
    assert.is(name, "huggingface");
    const layer = `${prefix}vision_model.encoder.layers.3.`;
    for (const [role, expected] of [
      ["patch_embed.weight", [`${prefix}vision_model.embeddings.patch_embedding.weight`]],
      ["pos_embed", [`${prefix}vision_model.embeddings.position_embedding.weight`]],
      ["blocks.3.norm1.weight", [`${layer}layer_norm1.weight`]],
      ["blocks.3.qkv.bias", ["q", "k", "v"].map((part) => `${layer}self_attn.${part}_proj.bias`)],
      ["blocks.3.proj.weight", [`${layer}self_attn.projection_layer.weight`]],
      ["blocks.3.norm2.bias", [`${layer}layer_norm2.bias`]],
      ["blocks.3.fc1.bias", [`${layer}mlp.fc1.bias`]],
      ["blocks.3.fc2.weight", [`${layer}mlp.fc2.weight`]],
      ["norm.bias", [`${prefix}vision_model.post_layernorm.bias`]],
      ["aligner.layers.0.weight", [`${prefix}aligner.fc1.weight`]],
      ["aligner.layers.1.weight", [`${prefix}aligner.hidden_layers.0.weight`]],
      ["aligner.layers.2.bias", [`${prefix}aligner.hidden_layers.1.bias`]],
      ["embed_tokens.weight", [`${prefix}language_model.embed_tokens.weight`]],
      ["language_model.model.embed_tokens.weight", [`${prefix}language_model.embed_tokens.weight`]],
      [
        "language_model.model.layers.3.self_attn.q_proj.bias",
        [`${prefix}language_model.layers.3.self_attn.q_proj.bias`],
      ],
      ["language_model.model.norm.weight", [`${prefix}language_model.norm.weight`]],
      ["language_model.lm_head.weight", ["lm_head.weight"]],
    ] as const)
      assert.equal(stored(role), expected);
  }
});

test("a role that does not exist is a mistake of the caller", () => {
  const { stored } = detectLayout([`${TOWER}pos_embed`], "m");
  for (const role of ["", "blocks.0.qkv", "blocks.-1.qkv.bias", "lm_head.weight", "constructor", "pos_embed.weight"])
    assert.throws(
      () => stored(role),
      (error: unknown) => error instanceof RangeError,
    );
});

for (const [what, name, pattern] of [
  ["JanusFlow by its tower", "vision_und_enc_model.vision_tower.pos_embed", /JanusFlow/],
  ["JanusFlow by its learned row", "beg_of_und_embed", /JanusFlow/],
  ["DeepSeek-VL-7B by its towers", "vision_model.vision_tower_low.vision_tower.pos_embed", /DeepSeek-VL-7B/],
  ["DeepSeek-VL-7B by its aligner", "aligner.high_up_proj.weight", /DeepSeek-VL-7B/],
  [
    "transformers' DeepSeek-VL",
    "model.vision_model.vision_model.embeddings.patch_embedding.weight",
    /transformers' own port of DeepSeek-VL/,
  ],
] as const) {
  test(`refuses ${what}`, async () => {
    await refuses(() => detectLayout([name], "m"), "E_UNSUPPORTED", pattern);
    await refuses(() => detectLayout([`${TOWER}pos_embed`, name], "m"), "E_UNSUPPORTED", pattern);
  });
}

test("another model, and no tensor at all", async () => {
  await refuses(
    () => detectLayout(["model.layers.0.mlp.up_proj.weight"], "m"),
    "E_FORMAT",
    /reading m: .*"model\.layers\.0/,
  );
  await refuses(() => detectLayout([], "m"), "E_FORMAT", /among 0, found none;/);
});

test.run();
