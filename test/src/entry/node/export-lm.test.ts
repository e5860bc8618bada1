import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exportLanguageModel } from "#dist/entry/node/export-lm.js";
import { pack } from "#dist/entry/node/pack.js";
import { huggingFaceLayout } from "../../../support/huggingface-layout.js";
import { completedCheckpoint, languageModelOf, readWeights } from "../../../support/language-model.js";
import { golden, ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";
import { TINY } from "../../../support/tiny-checkpoints.js";

const test = suite("entry/node/export-lm");

const DEMO = `${ROOT}models/demo`;

function configOf(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
}

function sameTensors(output: string, source: string): void {
  const [found, expected] = [languageModelOf(output), languageModelOf(source)];
  // What was written has Llama's names already.
  for (const file of readdirSync(output).filter((name) => name.endsWith(".safetensors")))
    for (const [name, tensor] of readWeights(join(output, file))) found.set(name, tensor);
  assert.equal([...found.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { dtype, shape, data }] of expected) {
    const tensor = found.get(name)!;
    assert.is(tensor.dtype, dtype, name);
    assert.equal(tensor.shape, [...shape], name);
    assert.ok(Buffer.from(tensor.data).equals(Buffer.from(data)), `${name}: the same bytes`);
  }
}

for (const name of TINY) {
  test(`${name}: every tensor as it is stored, under Llama's names`, () =>
    inScratch(async (folder) => {
      const model = completedCheckpoint(name, join(folder, "model"));
      const output = join(folder, "lm");
      const { files, dtype } = await exportLanguageModel(model, output);
      assert.equal(files.map((file) => file.name).sort(), readdirSync(output).sort());
      for (const { name, bytes } of files) assert.is(statSync(join(output, name)).size, bytes);
      sameTensors(output, model);
      const tensors = readWeights(join(output, "model.safetensors"));
      const config = configOf(output);
      assert.equal(config["architectures"], ["LlamaForCausalLM"]);
      assert.is(config["torch_dtype"], dtype);
      assert.is(config["vocab_size"], tensors.get("lm_head.weight")!.shape[0]);
      assert.is(config["hidden_size"], tensors.get("lm_head.weight")!.shape[1]);
      assert.is(config["intermediate_size"], tensors.get("model.layers.0.mlp.up_proj.weight")!.shape[0]);
      assert.is(config["max_position_embeddings"], 16384);
      assert.is(config["tie_word_embeddings"], false);
      const added: { content: string; id: number }[] = JSON.parse(
        readFileSync(join(output, "tokenizer.json"), "utf8"),
      ).added_tokens;
      const id = (content: string) => added.find((token) => token.content === content)?.id;
      assert.is(config["bos_token_id"], id("<｜begin▁of▁sentence｜>"));
      assert.is(config["eos_token_id"], id("<｜end▁of▁sentence｜>"));
      assert.is(config["pad_token_id"], id("<｜▁pad▁｜>"));
      for (const file of ["tokenizer.json", "special_tokens_map.json"])
        assert.ok(readFileSync(join(output, file)).equals(readFileSync(join(model, file))), file);
      const settings = (folder: string) => JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8"));
      assert.equal(settings(output), { ...settings(model), tokenizer_class: "PreTrainedTokenizerFast" });
    }));
}

test("both layouts of one model give the same files", () =>
  inScratch(async (folder) => {
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    await exportLanguageModel(DEMO, a);
    await exportLanguageModel(await huggingFaceLayout(DEMO), b);
    for (const file of ["model.safetensors", "config.json", "tokenizer.json"])
      assert.ok(readFileSync(join(a, file)).equals(readFileSync(join(b, file))), file);
  }));

test("what the file leaves to LlamaConfig's defaults is written down", () =>
  inScratch(async (folder) => {
    const output = join(folder, "lm");
    // language_config of tiny-orig-bin has neither widths nor heads, as Janus-Pro-7B's.
    await exportLanguageModel(completedCheckpoint("tiny-orig-bin", join(folder, "model")), output);
    const config = configOf(output);
    const expected = {
      intermediate_size: 11008,
      hidden_act: "silu",
      rms_norm_eps: 1e-6,
      rope_theta: 10000,
      head_dim: 72,
    };
    for (const [key, value] of Object.entries(expected)) assert.is(config[key], value, key);
  }));

test("shards stay below their size, and the index names every tensor", () =>
  inScratch(async (folder) => {
    const output = join(folder, "lm");
    const limit = 400_000;
    const { files } = await exportLanguageModel(DEMO, output, { shardSize: limit });
    const shards = files.filter(({ name }) => name.endsWith(".safetensors"));
    assert.is(shards[0]?.name, `model-00001-of-0000${shards.length}.safetensors`);
    assert.ok(shards.length > 2);
    for (const { bytes } of shards) assert.ok(bytes < limit);
    sameTensors(output, DEMO);
    const index = JSON.parse(readFileSync(join(output, "model.safetensors.index.json"), "utf8"));
    let total = 0;
    for (const { name } of shards)
      for (const [tensor, { data }] of readWeights(join(output, name))) {
        assert.is(index.weight_map[tensor], name);
        total += data.length;
      }
    assert.is(index.metadata.total_size, total);
    await refused(
      exportLanguageModel(DEMO, join(folder, "none"), { shardSize: 20_000 }),
      "E_USAGE",
      /export-lm: expected a shard size of more than \d+ bytes, which "model\.embed_tokens\.weight" takes/,
    );
    assert.not.ok(existsSync(join(folder, "none")));
  }));

test("an earlier output is replaced with force alone, and a folder with anything else in it never", () =>
  inScratch(async (folder) => {
    const output = join(folder, "lm");
    await exportLanguageModel(DEMO, output);
    await refused(exportLanguageModel(DEMO, output), "E_USAGE", /exists/);
    writeFileSync(join(output, "config.json"), "{}");
    await exportLanguageModel(DEMO, output, { force: true });
    assert.is(configOf(output)["hidden_size"], 128);
    writeFileSync(join(output, "notes.txt"), "mine");
    await refused(exportLanguageModel(DEMO, output, { force: true }), "E_USAGE", /notes\.txt/);
    assert.equal(readdirSync(folder), ["lm"], "nothing is left beside it");
  }));

test("an abort leaves nothing, at any point", () =>
  inScratch(async (folder) => {
    for (const at of [1, 200_000, 1_500_000]) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const onProgress = (done: number): void => {
        if (done >= at) controller.abort(reason);
      };
      const running = exportLanguageModel(DEMO, join(folder, "lm"), { signal: controller.signal, onProgress });
      assert.is(
        await running.then(
          () => "done",
          (error) => error,
        ),
        reason,
      );
      assert.equal(readdirSync(folder), []);
    }
  }));

test("a packed checkpoint holds no language model", () =>
  inScratch(async (folder) => {
    await pack(DEMO, join(folder, "packed"));
    await refused(
      exportLanguageModel(join(folder, "packed"), join(folder, "lm")),
      "E_UNSUPPORTED",
      /found a packed one, which holds no language model; export from the original/,
    );
  }));

test("a language model with layers missing is refused, every tensor named", () =>
  inScratch(async (folder) => {
    await refused(
      exportLanguageModel(golden("checkpoints/tiny-orig-safetensors"), join(folder, "lm")),
      "E_FORMAT",
      /found 8 missing: .*language_model\.model\.layers\.0\.mlp\.down_proj\.weight/,
    );
    assert.equal(readdirSync(folder), []);
  }));

test.run();
