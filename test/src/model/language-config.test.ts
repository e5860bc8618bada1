import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type LanguageConfig, parseLanguageConfig } from "#dist/model/language-config.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("model/language-config");

const TABLE = [102_400, 4096];

function original(language: object, table: readonly number[] = TABLE): LanguageConfig {
  const config = { model_type: "multi_modality", language_config: language };
  return parseLanguageConfig(new TextEncoder().encode(JSON.stringify(config)), table, "original");
}

function port(text: object, rest: object = {}): LanguageConfig {
  const config = { model_type: "janus", text_config: text, ...rest };
  return parseLanguageConfig(new TextEncoder().encode(JSON.stringify(config)), TABLE, "huggingface");
}

test("Janus-Pro-7B's file, which says five things: the rest is LlamaConfig's", () => {
  const said = { max_position_embeddings: 16384, model_type: "llama", num_hidden_layers: 30, torch_dtype: "bfloat16" };
  assert.equal(original({ ...said, vocab_size: 102400 }), {
    vocabRows: 102_400,
    dim: 4096,
    mlpWidth: 11_008,
    layers: 30,
    heads: 32,
    keyValueHeads: 32,
    headDim: 128,
    activation: "silu",
    maxPositions: 16_384,
    rmsNormEps: 1e-6,
    ropeTheta: 10_000,
    attentionBias: false,
    mlpBias: false,
    tied: false,
    bos: undefined,
    eos: undefined,
    pad: undefined,
  });
});

test("what a file says is taken", () => {
  const said = {
    intermediate_size: 9,
    num_hidden_layers: 2,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    head_dim: 64,
    hidden_act: "gelu",
    rms_norm_eps: 1e-5,
    rope_theta: 5e5,
    attention_bias: true,
    mlp_bias: true,
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: null,
  };
  const found = original(said);
  assert.equal([found.mlpWidth, found.layers, found.heads, found.keyValueHeads, found.headDim], [9, 2, 8, 2, 64]);
  assert.equal([found.activation, found.rmsNormEps, found.ropeTheta], ["gelu", 1e-5, 5e5]);
  assert.equal([found.attentionBias, found.mlpBias, found.bos, found.eos, found.pad], [true, true, 1, 2, undefined]);
});

test("rotary positions, as transformers 4 and 5 write them", () => {
  assert.is(port({ rope_theta: 20_000, rope_scaling: null }).ropeTheta, 20_000);
  assert.is(port({ rope_parameters: { rope_theta: 30_000, rope_type: "default" } }).ropeTheta, 30_000);
  for (const text of [
    { rope_parameters: { rope_theta: 1e4, rope_type: "llama3" } },
    { rope_scaling: { type: "linear", factor: 4 } },
  ])
    refusedNow(() => port(text), "E_UNSUPPORTED", /expected text_config\.rope_\w+\.\w*type to be "default"/);
});

test("tied or not: the port says it beside its sections, or nothing", () => {
  assert.is(port({}).tied, undefined);
  assert.is(port({ tie_word_embeddings: false }).tied, false);
  assert.is(port({ tie_word_embeddings: false }, { tie_word_embeddings: true }).tied, true);
  assert.is(original({ tie_word_embeddings: true }).tied, true);
});

test("contradictions and hostile counts are refused by key", () => {
  for (const [language, pattern] of [
    [{ hidden_size: 2048 }, /language_config\.hidden_size to be 4096/],
    [{ vocab_size: 5 }, /language_config\.vocab_size to be 102400/],
    [{ num_attention_heads: 3 }, /num_attention_heads to divide the 4096 columns/],
    [{ num_key_value_heads: 5 }, /num_key_value_heads to divide the 32 heads/],
    [{ num_hidden_layers: 1e9 }, /num_hidden_layers to be an integer from 1 to 1024/],
    [{ intermediate_size: 2 ** 40 }, /intermediate_size to be an integer/],
    [{ num_attention_heads: 0 }, /num_attention_heads to be an integer/],
    [{ rms_norm_eps: 0 }, /rms_norm_eps to be a number above 0/],
    [{ rope_theta: "x" }, /rope_theta to be a number/],
  ] as const)
    refusedNow(() => original(language), "E_CONFIG", /^reading config\.json: /, pattern);
  refusedNow(() => original({ model_type: "qwen2" }), "E_UNSUPPORTED", /language_config\.model_type to be "llama"/);
  refusedNow(() => original({}, [2 ** 30, 4096]), "E_CONFIG", /embed_tokens/);
});

test.run();
