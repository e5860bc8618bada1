import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseConfig } from "#dist/model/config.js";
import {
  bytesOf,
  huggingfaceConfig,
  originalConfig,
  PROCESSOR,
  parse,
  preprocessor,
} from "../../support/config-text.js";
import { onlyJanusErrors, refuses } from "../../support/refusal.js";
import { openTiny, TINY, tinyFiles } from "../../support/tiny-checkpoints.js";

const test = suite("model/config");

test("Janus-Pro-1B, from both layouts", () => {
  const original = parse(originalConfig());
  const common = {
    imageSize: 384,
    patchSize: 16,
    grid: 24,
    tokens: 576,
    width: 1024,
    blocks: 24,
    heads: 16,
    headWidth: 64,
    mlpWidth: 4096,
    layerNormEps: 1e-6,
    generates: true,
    aligner: { type: "mlp_gelu", depth: 2 },
    dim: 2048,
    vocabRows: 102400,
    maxPositions: 16384,
    preprocess: {
      imageSize: 384,
      minSize: 14,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
      rescaleFactor: 1 / 255,
      doNormalize: true,
      background: [127, 127, 127],
    },
    warnings: [],
  };
  const processor = { numImageTokens: 576, sftFormat: "deepseek", systemPrompt: undefined };
  assert.equal(original, {
    ...common,
    layout: "original",
    processor: { ...processor, imageTag: "<image_placeholder>", imageTokenId: undefined },
  });
  const port = parse(huggingfaceConfig());
  assert.equal(port, {
    ...common,
    layout: "huggingface",
    processor: { ...processor, imageTag: "<image_placeholder>", imageTokenId: 100581 },
  });
});

test("the five recorded checkpoints, without a warning", async () => {
  const seen = [];
  for (const name of TINY) {
    const { config } = await openTiny(tinyFiles(name));
    assert.equal(config.warnings, []);
    const { imageSize, patchSize, tokens, width, heads, blocks, mlpWidth, dim, vocabRows } = config;
    seen.push([imageSize, patchSize, tokens, width, heads, blocks, mlpWidth, dim, vocabRows]);
  }
  assert.equal(seen, [
    [64, 16, 16, 64, 4, 3, 256, 96, 608],
    [96, 16, 36, 80, 5, 2, 200, 72, 624],
    [96, 16, 36, 80, 5, 2, 200, 72, 624],
    [48, 16, 9, 48, 2, 2, 144, 56, 592],
    [96, 16, 36, 80, 5, 2, 200, 72, 624],
  ]);
});

test("is frozen throughout and survives structuredClone", () => {
  const config = parse(originalConfig());
  assert.equal(structuredClone(config), config);
  const check = (value: object): void => {
    assert.ok(Object.isFrozen(value));
    for (const member of Object.values(value)) if (typeof member === "object" && member !== null) check(member);
  };
  check(config);
});

test("D is the embedding's, where the file does not say", () => {
  const config = originalConfig({ aligner: { n_embed: 4096 }, top: { language_config: {} } });
  const { dim, maxPositions } = parse(config, {}, [102400, 4096]);
  assert.equal([dim, maxPositions], [4096, 16384]);
  assert.is(parse(originalConfig({ language: { max_position_embeddings: 4096 } })).maxPositions, 4096);
});

test("whether there is an image generator, in either layout", () => {
  assert.is(parse(originalConfig({ top: { gen_vision_config: undefined } })).generates, false);
  assert.is(parse(originalConfig()).generates, true);
  assert.is(parse(huggingfaceConfig()).generates, true);
});

test("DeepSeek-VL-1.3B, with the mean of CLIP", () => {
  const clip = { image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
  const config = parse(originalConfig({ top: { gen_vision_config: undefined } }), {
    preprocessor: preprocessor({ ...clip, background_color: [122, 116, 104] }),
  });
  assert.equal(config.preprocess.background, [122, 116, 104]);
  assert.equal(config.warnings, []);
});

test("C02 not an object", async () => {
  for (const text of ["[]", "null", "3", '"x"', "", "{", '{"a":1,"a":2}', "{'a':1}", '{"a":NaN}', "\ufeff{}"])
    await refuses(() => parse(text), "E_CONFIG", /^reading config\.json: /);
  await refuses(
    () => parse(originalConfig(), { preprocessor: "[]" }),
    "E_CONFIG",
    /preprocessor_config\.json: expected an object/,
  );
  await refuses(() => parse(originalConfig(), { processor: "{" }), "E_CONFIG", /^reading processor_config\.json/);
});
test("C03 model_type other than multi_modality/janus", async () => {
  for (const type of ["llama", "deepseek_vl", 3, null, undefined])
    await refuses(() => parse(originalConfig({ top: { model_type: type } })), "E_CONFIG", /model_type/);
  await refuses(
    () => parse(originalConfig({ top: { model_type: "llama" } })),
    "E_CONFIG",
    /"multi_modality".*got "llama"/,
  );
  await refuses(
    () => parseConfig({ config: bytesOf(originalConfig()) }, [102400, 2048], "huggingface"),
    "E_CONFIG",
    /"janus".*huggingface layout, got "multi_modality"/,
  );
});
test("C04 hidden 2048 but the rest 4096", async () => {
  await refuses(
    () => parse(originalConfig({ aligner: { n_embed: 4096 } })),
    "E_CONFIG",
    /n_embed to be 2048.*got 4096/,
  );
  await refuses(() => parse(originalConfig(), {}, [102400, 4096]), "E_CONFIG", /n_embed to be 4096.*got 2048/);
  await refuses(
    () => parse(originalConfig({ language: { hidden_size: 4096 } })),
    "E_CONFIG",
    /language_config\.hidden_size to be 2048.*got 4096/,
  );
  await refuses(
    () => parse(huggingfaceConfig({ projection_dim: 4096 })),
    "E_CONFIG",
    /projection_dim to be 2048.*got 4096/,
  );
  await refuses(
    () => parse(huggingfaceConfig({}, { text_config: { hidden_size: 4096 } })),
    "E_CONFIG",
    /text_config\.hidden_size/,
  );
});

test("the vocabulary is the embedding's", async () => {
  await refuses(
    () => parse(originalConfig({ language: { vocab_size: 99 } })),
    "E_CONFIG",
    /vocab_size to be 102400.*got 99/,
  );
  for (const shape of [[], [5], [1, 2, 3], [0, 8], [8, 0], [2 ** 21, 8], [8, 2 ** 17], [Number.NaN, 1]])
    await refuses(() => parse(originalConfig(), {}, shape), "E_CONFIG", /embed_tokens of at most/);
});

test("tokens per image agree in every file", async () => {
  const wrong = { ...PROCESSOR, num_image_tokens: 575 };
  await refuses(() => parse(originalConfig(), { processor: wrong }), "E_CONFIG", /num_image_tokens to be 576.*got 575/);
  await refuses(
    () => parse(huggingfaceConfig({ num_image_tokens: 575 })),
    "E_CONFIG",
    /vision_config\.num_image_tokens.*576.*got 575/,
  );
});

test("JanusFlow is refused by name", () =>
  refuses(() => parse(originalConfig({ top: { vision_und_enc_config: {} } })), "E_UNSUPPORTED", /JanusFlow/));

test("a member named __proto__ changes nothing", () => {
  const text = JSON.stringify(originalConfig()).replace("{", '{"__proto__":{"model_type":"evil"},');
  assert.is(parse(text).layout, "original");
  assert.is(({} as Record<string, unknown>)["model_type"], undefined);
});

test("any replacement of any value is read or refused", async () => {
  const bases = [
    { config: originalConfig(), preprocessor: preprocessor() },
    {
      config: huggingfaceConfig({ num_hidden_layers: 24, layer_norm_eps: 1e-6, depth: 2 }),
      preprocessor: preprocessor({ size: { height: 384, width: 384 }, resample: 3 }),
    },
  ];
  const value = fc.oneof(
    fc.constantFrom(
      null,
      true,
      false,
      "",
      "NaN",
      "384",
      0,
      -1,
      1,
      2,
      0.5,
      1e9,
      -1e308,
      2 ** 53,
      [],
      {},
      [1, 2],
      [0, 0, 0],
      [null, 1, 1],
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...bases),
      fc.nat(),
      value,
      fc.boolean(),
      async (base, pick, replacement, inPreprocessor) => {
        const files = structuredClone(base);
        const root = inPreprocessor ? files.preprocessor : files.config;
        const places: (() => void)[] = [];
        const visit = (object: Record<string, unknown>): void => {
          for (const [key, member] of Object.entries(object)) {
            places.push(() => {
              object[key] = replacement;
            });
            if (typeof member === "object" && member !== null && !Array.isArray(member))
              visit(member as Record<string, unknown>);
          }
        };
        visit(root);
        places[pick % places.length]!();
        await onlyJanusErrors(async () => parse(files.config, { preprocessor: files.preprocessor }));
      },
    ),
    { numRuns: 3000, seed: 10 },
  );
});

test.run();
