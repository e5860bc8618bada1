/** inputs_embeds to a language model elsewhere: the exported one, in PyTorch, answers them as JanusForConditionalGeneration answers the pictures themselves. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type EmbedRequest, Janus, type Tensor, writeSafetensors } from "#dist/entry/node/index.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { huggingFaceLayout } from "../support/huggingface-layout.js";
import { completedCheckpoint } from "../support/language-model.js";
import { golden, ROOT } from "../support/paths.js";
import { pythonTest, runPython } from "../support/python.js";
import { inScratch } from "../support/scratch.js";

const test = suite("acceptance/language-model");

const DEMO = `${ROOT}models/demo`;
/** The end-of-sentence token of the demo model. */
const EOS = 681;
const examples: readonly { images: string[]; question: string; expected_ids: number[] }[] = JSON.parse(
  readFileSync(`${DEMO}/examples/examples.json`, "utf8"),
);

interface Answers {
  readonly janus: Readonly<Record<string, number[][]>>;
  readonly llama: Readonly<Record<string, number[][]>>;
  readonly missing: readonly string[];
  readonly difference: number;
}

/**
 * Of logits, as a part of the largest: an embedding may be off by 3e-4 of the RMS of its tensor (the bound of test/acceptance/cases.test.ts), and the few layers behind it pass on
 * about as much as they get.
 */
const LOGITS = 3e-4;

/** Exports the language model with the command line and embeds batches: what test/python/generate.py takes. */
async function handOver(model: string, batches: readonly EmbedRequest[][]): Promise<[string, string, string]> {
  const folder = temporaryFolder();
  const [llama, inputs] = [join(folder, "lm"), join(folder, "inputs.safetensors")];
  const exported = await janus(["export-lm", "--model", model, "--output", llama]);
  assert.is(exported.status, 0, exported.stderr);
  const tensors: Record<string, Tensor> = {};
  const running = await Janus.load(model);
  for (const [n, batch] of batches.entries()) {
    const out = await running.embed(batch, { stages: true });
    tensors[`${n}.input_ids`] = out.inputIds;
    tensors[`${n}.attention_mask`] = out.attentionMask;
    tensors[`${n}.inputs_embeds`] = out.inputsEmbeds;
    if (batch.some(({ images = [] }) => images.length > 0)) tensors[`${n}.pixel_values`] = out.stages!["pixel_values"]!;
  }
  await running.dispose();
  await writeSafetensors(inputs, tensors);
  return [model, llama, inputs];
}

function demoBatches(): EmbedRequest[][] {
  const requests = examples.map(({ question, images }) => ({
    question,
    images: images.map((name) => `${DEMO}/examples/${name}`),
  }));
  const together = requests.filter(({ images }) => images.length === 1).slice(0, 3);
  return [...requests.map((request) => [request]), together];
}

function tinyBatches(): EmbedRequest[][] {
  const image = (name: string): string => golden(`images/${name}.png`);
  return [
    [{ question: "What is this?", images: [image("gradient-96x96")] }],
    [{ question: "Which is larger?", images: [image("shapes-40x100"), image("china-150x100")] }],
    [{ question: "Who are you?", images: [] }],
    [
      { question: "Where?", images: [image("waves-90x60")] },
      { question: "What is in the middle of the picture?", images: [image("flower-80x110")] },
    ],
  ];
}

/** Both models in one process: importing PyTorch takes longer than the rest. */
let answers: Promise<Answers[]> | undefined;
async function allAnswers(): Promise<Answers[]> {
  const demo = await handOver(await huggingFaceLayout(DEMO), demoBatches());
  const tiny = await handOver(completedCheckpoint("tiny-hf", temporaryFolder()), tinyBatches());
  return JSON.parse(await runPython(readFileSync(`${ROOT}test/python/generate.py`, "utf8"), [...demo, ...tiny]));
}
function answered(): Promise<Answers[]> {
  answers ??= allAnswers();
  return answers;
}

pythonTest(test)(
  "the demo model: the answers of JanusForConditionalGeneration, which are the recorded ones",
  async () => {
    const [demo] = await answered();
    assert.equal(demo!.missing, [], "LlamaForCausalLM finds every tensor, and none too many");
    assert.equal(demo!.llama, demo!.janus);
    assert.ok(demo!.difference < LOGITS, `${demo!.difference}`);
    for (const [n, { expected_ids }] of examples.entries()) assert.equal(demo!.llama[n], [[...expected_ids, EOS]]);
    assert.is(demo!.llama[examples.length]?.length, 3, "a left-padded batch");
  },
);

pythonTest(test)("tiny-hf: the answers of JanusForConditionalGeneration", async () => {
  const [, tiny] = await answered();
  assert.equal(tiny!.missing, []);
  assert.equal(tiny!.llama, tiny!.janus);
  assert.ok(tiny!.difference < LOGITS, `${tiny!.difference}`);
  const different = new Set(Object.values(tiny!.llama).flat().map(String));
  assert.ok(different.size > 2, "answers tell prompts apart");
});

test("export-lm --json says what was written, and a second time is refused", () =>
  inScratch(async (folder) => {
    const args = ["export-lm", "--model", DEMO, "--output", join(folder, "lm"), "--json"];
    const first = await janus(args);
    assert.is(first.status, 0, first.stderr);
    const said = JSON.parse(first.stdout);
    assert.is(said.dtype, "bfloat16");
    assert.ok(said.files.some(({ name }: { name: string }) => name === "config.json"));
    assert.ok(said.timings.total > 0 && said.peakMemoryBytes < 300e6);
    assert.is((await janus(args)).status, 2);
    assert.is((await janus([...args, "--force"])).status, 0);
    const inside = await janus(["export-lm", "--model", DEMO, "--output", DEMO, "--force"]);
    assert.is(inside.status, 2, "not over the model itself");
  }));

test("memory does not grow with the model: 350 MB are exported below 200", () =>
  inScratch(async (folder) => {
    const args = ["--model", sparseCheckpoint(join(folder, "model")), "--output", join(folder, "lm")];
    const { status, stdout, stderr } = await janus(["export-lm", ...args, "--json"]);
    assert.is(status, 0, stderr);
    const { files, peakMemoryBytes } = JSON.parse(stdout);
    assert.ok(files.some(({ bytes }: { bytes: number }) => bytes > 350e6));
    assert.ok(peakMemoryBytes < 200e6, `${peakMemoryBytes}`);
  }));

/** A language model of one layer and a large vocabulary: zeros that take no disk. */
function sparseCheckpoint(folder: string): string {
  const [rows, dim, width] = [40_000, 2048, 1024];
  const layer = "language_model.model.layers.0";
  const shapes: Record<string, number[]> = {
    "vision_model.vision_tower.pos_embed": [1, 1, 1],
    "language_model.model.embed_tokens.weight": [rows, dim],
    "language_model.model.norm.weight": [dim],
    "language_model.lm_head.weight": [rows, dim],
    [`${layer}.mlp.down_proj.weight`]: [dim, width],
  };
  for (const norm of ["input", "post_attention"]) shapes[`${layer}.${norm}_layernorm.weight`] = [dim];
  for (const part of ["q", "k", "v", "o"]) shapes[`${layer}.self_attn.${part}_proj.weight`] = [dim, dim];
  for (const part of ["gate", "up"]) shapes[`${layer}.mlp.${part}_proj.weight`] = [width, dim];
  const tensors = Object.entries(shapes).map(([name, shape]) => ({ name, dtype: "BF16", shape }));
  const header = encodeSafetensorsHeader(tensors);
  mkdirSync(folder);
  writeFileSync(join(folder, "model.safetensors"), header);
  const bytes = tensors.reduce((sum, { shape }) => sum + 2 * shape.reduce((a, b) => a * b, 1), header.length);
  truncateSync(join(folder, "model.safetensors"), bytes);
  const language_config = { num_hidden_layers: 1, num_attention_heads: 16, intermediate_size: width };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "multi_modality", language_config }));
  return folder;
}

test.run();
