import { suite } from "uvu";
import * as assert from "uvu/assert";
import { keptDType, openModel, planMemory } from "#dist/entry/load.js";
import { STORAGE } from "#dist/wasm/abi.js";
import { recordedFiles, withJson, withoutFile } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { refused } from "../../support/refusal.js";

const test = suite("entry/load");

const ORIGINAL = recordedFiles("tiny-orig-safetensors");
const MB = 1 << 20;

for (const [checkpoint, dtype, vocabRows, dim] of [
  ["tiny-orig-safetensors", "fp32", 608, 96],
  ["tiny-orig-f16", "fp16", 592, 56],
  ["tiny-hf", "bf16", 624, 72],
] as const) {
  test(`${checkpoint} is opened: configuration, every tensor in use, the table apart`, async () => {
    const model = await openModel(memorySource(recordedFiles(checkpoint)));
    assert.equal([model.config.vocabRows, model.config.dim], [vocabRows, dim]);
    assert.equal(model.embedTokens.shape, [vocabRows, dim]);
    const plan = planMemory(model, "auto", 1);
    assert.is(keptDType(plan), dtype);
    assert.equal(
      [...model.bound.keys()].filter((role) => role !== "embed_tokens.weight"),
      plan.placements.map(({ role }) => role),
    );
    assert.is(keptDType(planMemory(model, "fp32", 1)), "fp32");
  });
}

test("wide keeps every matrix in f32, and widens those that are stored otherwise", async () => {
  const bf16 = await openModel(memorySource(recordedFiles("tiny-hf")));
  const matrices = planMemory(bf16, "fp32", 2).placements.filter(({ kind }) => kind === "panels");
  assert.ok(matrices.length > 0 && matrices.every((placement) => placement.kind === "panels" && placement.wide));
  const { patchEmbed } = planMemory(bf16, "fp32", 2).weights;
  assert.is("storage" in patchEmbed && patchEmbed.storage, STORAGE.f32);
  const f32 = await openModel(memorySource(ORIGINAL));
  assert.equal(planMemory(f32, "fp32", 2), planMemory(f32, "auto", 2));
});

test("a checkpoint without config.json, or without a token table", async () => {
  await refused(
    openModel(memorySource(withoutFile(ORIGINAL, "config.json"))),
    "E_CONFIG",
    /^reading config.json: expected it in "memory", found none/,
  );
  await refused(openModel(memorySource(withoutFile(ORIGINAL, "model.safetensors"))), "E_IO", /memory/);
  const renamed = Buffer.from(ORIGINAL["model.safetensors"]!)
    .toString("latin1")
    .replace("embed_tokens", "embed_tocens");
  const files = { ...ORIGINAL, "model.safetensors": Buffer.from(renamed, "latin1") };
  await refused(openModel(memorySource(files)), "E_FORMAT", /missing: language_model.model.embed_tokens.weight/);
});

test("a configuration file that is far too large is not read", async () => {
  for (const path of ["config.json", "preprocessor_config.json", "processor_config.json"]) {
    const reads: string[] = [];
    const source = memorySource(ORIGINAL);
    const large = {
      ...source,
      size: async (file: string) => (file === path ? 4 * MB + 1 : source.size(file)),
      read: (file: string, offset: number, length: number) => {
        reads.push(file);
        return source.read(file, offset, length);
      },
    };
    await refused(
      openModel(large),
      "E_CONFIG",
      new RegExp(`^reading ${path}: expected at most 4194304 bytes, found 4194305`),
    );
    assert.not.ok(reads.includes(path));
  }
});

test("configuration and weights that do not belong together", async () => {
  const files = withJson(ORIGINAL, "config.json", (config) => {
    (config["vision_config"] as { params: { width: number } }).params.width = 128;
    (config["aligner_config"] as { params: { input_dim: number } }).params.input_dim = 128;
  });
  await refused(openModel(memorySource(files)), "E_CONFIG", /not of the shape that config.json implies/);
});

test.run();
