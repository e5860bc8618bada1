import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseLanguageConfig } from "#dist/model/language-config.js";
import { languageTensors } from "#dist/model/language-tensors.js";

const test = suite("model/language-tensors");

function shapes(language: object, head = true): Map<string, string> {
  const config = { model_type: "multi_modality", language_config: { num_hidden_layers: 2, ...language } };
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  const requests = languageTensors(parseLanguageConfig(bytes, [100, 64], "original"), head);
  return new Map(requests.map(({ role, shape }) => [role.replace(/^language_model\./, ""), shape.join("x")]));
}

test("the tensors of a Llama with grouped keys and values and wide heads", () => {
  const found = shapes({ num_attention_heads: 8, num_key_value_heads: 2, head_dim: 16, intermediate_size: 96 });
  assert.is(found.size, 1 + 2 * 9 + 2);
  for (const [name, shape] of [
    ["model.embed_tokens.weight", "100x64"],
    ["model.layers.1.input_layernorm.weight", "64"],
    ["model.layers.1.self_attn.q_proj.weight", "128x64"],
    ["model.layers.1.self_attn.k_proj.weight", "32x64"],
    ["model.layers.1.self_attn.v_proj.weight", "32x64"],
    ["model.layers.1.self_attn.o_proj.weight", "64x128"],
    ["model.layers.1.post_attention_layernorm.weight", "64"],
    ["model.layers.1.mlp.gate_proj.weight", "96x64"],
    ["model.layers.1.mlp.up_proj.weight", "96x64"],
    ["model.layers.1.mlp.down_proj.weight", "64x96"],
    ["model.norm.weight", "64"],
    ["lm_head.weight", "100x64"],
  ] as const)
    assert.is(found.get(name), shape, name);
});

test("a tied head is the token table; biases where the file has them", () => {
  assert.not.ok(shapes({}, false).has("lm_head.weight"));
  const biased = shapes({ num_attention_heads: 8, attention_bias: true, mlp_bias: true, intermediate_size: 96 });
  assert.is(biased.get("model.layers.0.self_attn.o_proj.bias"), "64");
  assert.is(biased.get("model.layers.0.mlp.up_proj.bias"), "96");
  assert.not.ok(shapes({}).has("model.layers.0.self_attn.q_proj.bias"));
});

test.run();
