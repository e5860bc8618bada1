import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openLanguageModel } from "#dist/entry/language-model.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { huggingFaceLayout } from "../../support/huggingface-layout.js";
import { MemorySource } from "../../support/memory-source.js";
import { ROOT } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { plainSafetensors } from "../../support/safetensors-bytes.js";

const test = suite("entry/language-model");

interface Config {
  language_config: Record<string, unknown>;
  text_config: Record<string, unknown>;
  tie_word_embeddings?: boolean | undefined;
}
type Files = Record<string, Uint8Array>;
type Tensors = ReturnType<typeof plainSafetensors>;

function filesOf(folder: string): Files {
  const names = readdirSync(folder).filter((name) => /\.(?:json|safetensors)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
}

/** The files with tensors and configuration edited. */
function edited(files: Files, tensors: (tensors: Tensors) => void, config: (config: Config) => void = () => {}): Files {
  const stored = new Map(plainSafetensors(files["model.safetensors"]!));
  tensors(stored);
  const list = [...stored].map(([name, tensor]) => ({ name, ...tensor }));
  const header = encodeSafetensorsHeader(list);
  const json = JSON.parse(new TextDecoder().decode(files["config.json"]));
  config(json);
  return {
    ...files,
    "model.safetensors": Buffer.concat([header, ...list.map(({ data }) => data)]),
    "config.json": new TextEncoder().encode(JSON.stringify(json)),
  };
}

const demo = filesOf(`${ROOT}models/demo`);
const port = filesOf(await huggingFaceLayout(`${ROOT}models/demo`));
const open = (files: Files) => openLanguageModel(new MemorySource(files));

test("the tokenizer's ids win over the file's, which may be LlamaConfig's defaults", async () => {
  const wrong = edited(
    demo,
    () => {},
    ({ language_config }) => {
      Object.assign(language_config, { bos_token_id: 1, eos_token_id: 2, pad_token_id: 3 });
    },
  );
  const { config } = await open(wrong);
  assert.equal([config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]], [680, 681, 682]);
  const { "tokenizer.json": _, ...untokenized } = wrong;
  const without = (await open(untokenized)).config;
  assert.equal([without["bos_token_id"], without["eos_token_id"], without["pad_token_id"]], [1, 2, 3]);
});

test("a head that is stored is kept, whatever the file says; one that is not is the token table only where tying is allowed", async () => {
  const tie = (value: boolean | undefined) => (config: Config) => {
    config.tie_word_embeddings = value;
  };
  const headless = (tensors: Tensors): void => void tensors.delete("lm_head.weight");
  assert.is((await open(edited(port, () => {}, tie(true)))).config["tie_word_embeddings"], false);
  for (const value of [true, undefined]) {
    const without = (config: Config) => {
      tie(value)(config);
      if (value === undefined) delete config.text_config["tie_word_embeddings"];
    };
    const { config, tensors } = await open(edited(port, headless, without));
    assert.is(config["tie_word_embeddings"], true);
    assert.not.ok(tensors.some(({ name }) => name === "lm_head.weight"));
  }
  await refused(open(edited(port, headless, tie(false))), "E_FORMAT", /1 missing: lm_head\.weight/);
  const untied = edited(demo, (tensors) => void tensors.delete("language_model.lm_head.weight"));
  await refused(open(untied), "E_FORMAT", /1 missing: language_model\.lm_head\.weight/);
});

test("a layer that the configuration does not know is refused, not dropped", async () => {
  const fewer = edited(
    demo,
    () => {},
    ({ language_config }) => {
      language_config["num_hidden_layers"] = 2;
    },
  );
  await refused(
    open(fewer),
    "E_CONFIG",
    /found 9 of the language model that config\.json does not imply: language_model\.model\.layers\.2\./,
  );
  const biased = edited(demo, (tensors) =>
    tensors.set("language_model.model.layers.0.self_attn.q_proj.bias", {
      dtype: "BF16",
      shape: [128],
      data: new Uint8Array(256),
    }),
  );
  await refused(open(biased), "E_CONFIG", /does not imply: language_model\.model\.layers\.0\.self_attn\.q_proj\.bias/);
});

test("rotary buffers of old saves are dropped", async () => {
  const old = edited(demo, (tensors) =>
    tensors.set("language_model.model.layers.0.self_attn.rotary_emb.inv_freq", {
      dtype: "F32",
      shape: [16],
      data: new Uint8Array(64),
    }),
  );
  const { tensors } = await open(old);
  assert.is(tensors.length, 30);
});

test("shapes and dtypes are held against the configuration", async () => {
  const narrow = edited(
    demo,
    () => {},
    ({ language_config }) => {
      language_config["intermediate_size"] = 351;
    },
  );
  await refused(open(narrow), "E_CONFIG", /mlp\.gate_proj\.weight is \[352, 128\] instead of \[351, 128\]/);
  const integers = edited(demo, (tensors) => {
    const name = "language_model.model.norm.weight";
    tensors.set(name, { ...tensors.get(name)!, dtype: "I16" });
  });
  await refused(open(integers), "E_UNSUPPORTED", /norm\.weight is I16/);
  const bare = edited(demo, (tensors) => void tensors.delete("language_model.model.embed_tokens.weight"));
  await refused(open(bare), "E_FORMAT", /1 missing: language_model\.model\.embed_tokens\.weight/);
});

test.run();
