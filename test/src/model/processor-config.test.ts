import { suite } from "uvu";
import * as assert from "uvu/assert";
import { huggingfaceConfig, originalConfig, PROCESSOR, parse } from "../../support/config-text.js";
import { refuses } from "../../support/refusal.js";

const test = suite("model/processor-config");

const processor = (overrides: Record<string, unknown>) => () =>
  parse(originalConfig(), { processor: { ...PROCESSOR, ...overrides } });

test("without the file, and without its keys, it is as in every Janus", () => {
  const expected = {
    imageTag: undefined,
    numImageTokens: 576,
    sftFormat: "deepseek",
    systemPrompt: undefined,
    imageTokenId: undefined,
  };
  assert.equal(parse(originalConfig(), { processor: undefined }).processor, expected);
  assert.equal(parse(originalConfig(), { processor: {} }).processor, expected);
});

test("a system_prompt of the file is kept", () => {
  assert.is(processor({ system_prompt: "Be brief." })().processor.systemPrompt, "Be brief.");
  assert.is(processor({ system_prompt: "" })().processor.systemPrompt, "");
});

test("tag and template are the file's, the id is that of transformers' config.json", () => {
  const { imageTag, sftFormat } = processor({ image_tag: "<img>", sft_format: "deepseek_old" })().processor;
  assert.equal([imageTag, sftFormat], ["<img>", "deepseek_old"]);
  assert.is(parse(huggingfaceConfig({}, { image_token_id: 7 })).processor.imageTokenId, 7);
});

test("what cannot be is refused", async () => {
  await refuses(processor({ add_special_token: true }), "E_UNSUPPORTED", /add_special_token false, found true/);
  await refuses(processor({ image_tag: "" }), "E_CONFIG", /processor_config\.json: expected image_tag/);
  await refuses(processor({ image_tag: 3 }), "E_CONFIG", /image_tag to be a string, got 3/);
  for (const count of [0, 577, 576.5, "576"])
    await refuses(processor({ num_image_tokens: count }), "E_CONFIG", /num_image_tokens/);
  await refuses(() => parse(huggingfaceConfig({}, { image_token_id: -1 })), "E_CONFIG", /image_token_id/);
});

test.run();
