import { suite } from "uvu";
import * as assert from "uvu/assert";
import { huggingfaceConfig, originalConfig, parse, preprocessor } from "../../support/config-text.js";
import { refuses } from "../../support/refusal.js";

const test = suite("model/vision-config");

const params = (overrides: Record<string, unknown>) => () => parse(originalConfig({ params: overrides }));
const port = (overrides: Record<string, unknown>) => () => parse(huggingfaceConfig(overrides));

test("explicit keys override the registry, and make do without it", () => {
  const narrow = params({ width: 512, heads: 8, mlp_ratio: 3.7362 });
  const all = { width: 80, layers: 2, heads: 5, mlp_ratio: 2.5, patch_size: 32 };
  const aligner = { input_dim: undefined };
  const own = parse(originalConfig({ params: { model_name: "siglip_tiny", ...all }, aligner }), {
    processor: undefined,
  });
  assert.equal([own.width, own.blocks, own.headWidth, own.mlpWidth, own.grid], [80, 2, 16, 200, 12]);
  // int(512 * 3.7362) of Python.
  return refuses(narrow, "E_CONFIG", /input_dim to be the tower's width 512, got 1024/).then(() => {
    const config = parse(originalConfig({ params: { width: 512, heads: 8, mlp_ratio: 3.7362 }, aligner }));
    assert.equal([config.width, config.mlpWidth, config.blocks], [512, 1912, 24]);
  });
});

test("the so400m towers of the registry", () => {
  const so400m = { model_name: "siglip_so400m_patch14_224", image_size: 224 };
  const config = parse(originalConfig({ params: so400m, aligner: { input_dim: 1152 } }), {
    preprocessor: preprocessor({ image_size: 224 }),
    processor: undefined,
  });
  assert.equal(
    [config.width, config.mlpWidth, config.blocks, config.tokens, config.headWidth],
    [1152, 4304, 27, 256, 72],
  );
});

test("select_layer leaves out blocks as create_siglip_vit does", async () => {
  for (const [select, blocks] of [
    [-1, 24],
    [-2, 23],
    [0, 24],
    [-24, 1],
    [1, 1],
    [23, 23],
    [24, 24],
    [99, 24],
  ] as const)
    assert.is(params({ select_layer: select })().blocks, blocks);
  await refuses(params({ select_layer: -25 }), "E_CONFIG", /select_layer to be one that leaves a block of 24, got -25/);
});

test("select_feature has no effect on a SigLIP tower", () => {
  const config = params({ select_feature: "patch" })();
  assert.is(config.tokens, 576);
  assert.match(config.warnings[0]!, /select_feature "patch" has no effect/);
});

test("single missing keys take the original's defaults, with a warning each", () => {
  const config = parse(originalConfig({ params: { select_layer: undefined, image_size: undefined } }), {
    preprocessor: preprocessor({ image_size: 336 }),
    processor: undefined,
  });
  assert.equal([config.imageSize, config.blocks], [336, 23]);
  assert.is(config.warnings.length, 2);
});

test("towers of other kinds are refused by name", async () => {
  const cls = (name: string) => () => parse(originalConfig({ vision: { cls: name } }));
  await refuses(cls("HybridVisionTower"), "E_UNSUPPORTED", /DeepSeek-VL-7B/);
  await refuses(cls("EvaTower"), "E_UNSUPPORTED", /found "EvaTower"/);
  await refuses(params({ model_name: "sam_b_downsample" }), "E_UNSUPPORTED", /found "sam_b_downsample"/);
  await refuses(params({ pixel_mean: [0.5, 0.5, 0.5], pixel_std: [0.5, 0.5, 0.5] }), "E_UNSUPPORTED", /pixel_mean/);
  assert.is(params({ pixel_mean: [0.5, 0.5, 0.5] })().tokens, 576);
  await refuses(params({ model_name: "siglip_huge" }), "E_CONFIG", /siglip_large_patch16_384.*"siglip_huge" alone/);
});

test("C05 image_size 0/-1/385/1e9/NaN-string", async () => {
  for (const size of [0, -1, 385, 1e9, "NaN", "384", 384.5, [384, 384], true])
    for (const call of [params({ image_size: size }), port({ image_size: size })])
      await refuses(call, "E_CONFIG", /config\.json: expected vision_config\.(?:params\.)?image_size to be/);
});
test("C06 patch_size not dividing", async () => {
  for (const call of [params({ patch_size: 15 }), port({ patch_size: 15 })])
    await refuses(call, "E_CONFIG", /image_size to be a multiple of the patch size 15, got 384/);
  await refuses(params({ model_name: "siglip_so400m_patch14_384" }), "E_CONFIG", /patch size 14, got 384/);
  await refuses(params({ patch_size: 0 }), "E_CONFIG", /patch_size to be an integer from 1/);
});
test("C07 num_layers 1e9", async () => {
  await refuses(params({ layers: 1e9 }), "E_CONFIG", /layers to be an integer from 1 to 1000, got 1000000000/);
  await refuses(port({ num_hidden_layers: 1e9 }), "E_CONFIG", /num_hidden_layers to be an integer/);
  await refuses(params({ layers: 0 }), "E_CONFIG", /layers/);
});
test("C08 missing vision cls/params", () => {
  const bare = parse(originalConfig({ top: { vision_config: undefined } }));
  assert.equal([bare.imageSize, bare.width, bare.blocks], [384, 1024, 24]);
  assert.equal(bare.warnings.length, 2);
  const noParams = parse(originalConfig({ vision: { params: undefined } }));
  assert.match(noParams.warnings.join(), /vision_config\.params is missing; SigLIP-L/);
  const noClass = parse(originalConfig({ vision: { cls: undefined } }));
  assert.match(noClass.warnings.join(), /vision_config\.cls is missing/);
  assert.match(parse(huggingfaceConfig({}, { vision_config: undefined })).warnings.join(), /SigLIP-L/);
});

test("width, heads and MLP fit each other", async () => {
  await refuses(params({ heads: 15 }), "E_CONFIG", /multiple of its 15 heads, got 1024/);
  await refuses(port({ num_attention_heads: 0 }), "E_CONFIG", /num_attention_heads/);
  await refuses(params({ mlp_ratio: 0 }), "E_CONFIG", /mlp_ratio to be a number above 0/);
  await refuses(params({ mlp_ratio: 1e-9 }), "E_CONFIG", /leaves a column/);
  await refuses(params({ width: 2 ** 30 }), "E_CONFIG", /width to be an integer from 1 to 65536/);
});

test("transformers' port: its epsilon is used, its other towers are not", async () => {
  assert.is(port({ layer_norm_eps: 1e-5 })().layerNormEps, 1e-5);
  assert.is(params({ layer_norm_eps: 1e-5 })().layerNormEps, 1e-6);
  await refuses(port({ layer_norm_eps: 0 }), "E_CONFIG", /layer_norm_eps/);
  await refuses(
    port({ hidden_act: "gelu_pytorch_tanh" }),
    "E_UNSUPPORTED",
    /hidden_act "gelu", found "gelu_pytorch_tanh"/,
  );
  await refuses(port({ attention_bias: false }), "E_UNSUPPORTED", /attention_bias true/);
  await refuses(port({ use_qk_norm: true }), "E_UNSUPPORTED", /use_qk_norm false/);
  await refuses(port({ num_channels: 1 }), "E_UNSUPPORTED", /num_channels 3/);
});

test.run();
