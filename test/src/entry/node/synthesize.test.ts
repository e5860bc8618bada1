import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { synthesize, syntheticCheckpoint } from "#dist/entry/node/synthesize.js";
import { golden, ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/synthesize");

type Checkpoint = Awaited<ReturnType<typeof syntheticCheckpoint>>;

function chunksOf({ files }: Checkpoint, name: string): Iterable<Uint8Array> {
  return files.find((file) => file.name === name)!.chunks as Iterable<Uint8Array>;
}

function json(checkpoint: Checkpoint, name: string) {
  return JSON.parse(Buffer.concat([...chunksOf(checkpoint, name)]).toString());
}

/** The header, and the bytes of the first tensor. */
function beginning(checkpoint: Checkpoint) {
  const chunks = chunksOf(checkpoint, "model.safetensors")[Symbol.iterator]();
  const header = Buffer.from(chunks.next().value!);
  const length = Number(header.readBigUInt64LE());
  assert.is(header.length, 8 + length);
  assert.is(length % 8, 0);
  return { header: JSON.parse(header.toString("utf8", 8)), length, first: Buffer.from(chunks.next().value!) };
}

test("the directory is a complete Janus-Pro-1B checkpoint in the original layout", async () => {
  const checkpoint = await syntheticCheckpoint("bf16");
  assert.equal(
    checkpoint.files.map(({ name }) => name),
    [
      "config.json",
      "preprocessor_config.json",
      "processor_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
      "special_tokens_map.json",
      "model.safetensors",
    ],
  );
  const config = json(checkpoint, "config.json");
  assert.is(config.model_type, "multi_modality");
  assert.is(config.torch_dtype, "bfloat16");
  assert.equal(config.vision_config.params, {
    image_size: 384,
    model_name: "siglip_large_patch16_384",
    select_feature: "same",
    select_layer: -1,
  });
  assert.equal(config.aligner_config.params, {
    depth: 2,
    input_dim: 1024,
    n_embed: 2048,
    projector_type: "mlp_gelu",
  });
  assert.is(config.language_config.hidden_size, 2048);
  assert.is(config.language_config.vocab_size, 102400);
  assert.is(config.language_config.max_position_embeddings, 16384);
  assert.is(json(checkpoint, "processor_config.json").num_image_tokens, 576);
  const preprocessor = json(checkpoint, "preprocessor_config.json");
  const demo = JSON.parse(readFileSync(`${ROOT}models/demo/preprocessor_config.json`, "utf8"));
  assert.equal(preprocessor, { ...demo, image_size: 384 });
});

test("every id of the demo's tokenizer has a row", async () => {
  const tokenizer = json(await syntheticCheckpoint("bf16"), "tokenizer.json");
  const ids: number[] = [
    ...Object.values<number>(tokenizer.model.vocab),
    ...tokenizer.added_tokens.map((token: { id: number }) => token.id),
  ];
  assert.is(ids.length, 688);
  assert.ok(Math.max(...ids) < 102400);
  assert.ok(tokenizer.added_tokens.some((token: { content: string }) => token.content === "<image_placeholder>"));
});

test("bf16: the header lists the recorded tensors, the file ends with the last, the first tensor has its hash", async () => {
  const checkpoint = await syntheticCheckpoint("bf16");
  const { header, length, first } = beginning(checkpoint);
  const recorded = JSON.parse(readFileSync(golden("full-size/tensors.json"), "utf8")).tensors;
  const { __metadata__: metadata, ...tensors } = header;
  assert.equal(metadata, { format: "pt" });
  assert.equal(Object.keys(tensors), Object.keys(recorded));
  let offset = 0;
  for (const [name, { shape }] of Object.entries<{ shape: number[] }>(recorded)) {
    const bytes = shape.reduce((product, d) => product * d, 2);
    assert.equal(tensors[name], { dtype: "BF16", shape, data_offsets: [offset, offset + bytes] });
    offset += bytes;
  }
  assert.is(checkpoint.bytes, 8 + length + offset);
  const name = Object.keys(recorded)[0]!;
  assert.is(createHash("sha256").update(first).digest("hex"), recorded[name].sha256);
});

test("fp32: the same values widened", async () => {
  const narrow = beginning(await syntheticCheckpoint("bf16"));
  const checkpoint = await syntheticCheckpoint("fp32");
  const wide = beginning(checkpoint);
  assert.is(json(checkpoint, "config.json").torch_dtype, "float32");
  assert.is(wide.first.length, 2 * narrow.first.length);
  const expected = Buffer.alloc(wide.first.length);
  for (let i = 0; i < narrow.first.length; i += 2) expected.writeUInt16LE(narrow.first.readUInt16LE(i), 2 * i + 2);
  assert.is(Buffer.compare(wide.first, expected), 0);
  const last = "language_model.model.embed_tokens.weight";
  assert.equal(wide.header[last].data_offsets[1], 2 * narrow.header[last].data_offsets[1]);
  assert.is(checkpoint.bytes, 8 + wide.length + wide.header[last].data_offsets[1]);
});

test("an existing folder is refused before a byte is made, and an abort on the way leaves nothing", () =>
  inScratch(async (folder) => {
    mkdirSync(join(folder, "there"));
    const onProgress = () => {
      throw new Error("work was done");
    };
    await refused(synthesize(join(folder, "there"), { dtype: "bf16", onProgress }), "E_USAGE", /exists/);
    await refused(synthesize(join(folder, "no/out"), { dtype: "bf16", onProgress }), "E_IO", /does not exist/);
    const controller = new AbortController();
    const reason = new Error("stopped");
    const progress: number[] = [];
    const caught = await synthesize(join(folder, "out"), {
      dtype: "bf16",
      signal: controller.signal,
      onProgress(done, total) {
        progress.push(done);
        assert.ok(done < total);
        if (progress.length === 3) controller.abort(reason);
      },
    }).catch((error) => error);
    assert.is(caught, reason);
    assert.is(progress.length, 3);
    assert.equal(readdirSync(folder), ["there"]);
  }));

test.run();
