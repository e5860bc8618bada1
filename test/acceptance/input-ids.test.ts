/** Requests with input_ids, the other way to do without a tokenizer: whatever lies in its files, nothing of it is read. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bytesSource, directorySource, Janus, type Tensor } from "#dist/entry/node/index.js";
import { pack } from "#dist/entry/node/pack.js";
import type { WeightSource } from "#dist/weights/source.js";
import { recordedFiles } from "../support/checkpoint-files.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { golden } from "../support/paths.js";
import { bytesOf, readTensors } from "../support/tensors.js";

const test = suite("input_ids without a tokenizer");

const CHECKPOINT = "tiny-orig-safetensors";
const RECORDED = golden("cases/one-image/expected.safetensors");
const TOKENIZER = /token/;
const folder = temporaryFolder();

/** The source, and the paths that were read or asked for. */
function watched(source: WeightSource): { source: WeightSource; paths: Set<string> } {
  const paths = new Set<string>();
  return {
    paths,
    source: {
      label: source.label,
      size: (path, signal) => {
        paths.add(path);
        return source.size(path, signal);
      },
      read: (path, ...rest) => {
        paths.add(path);
        return source.read(path, ...rest);
      },
    },
  };
}

async function embedsOf(source: WeightSource): Promise<Buffer> {
  const recorded = await readTensors(RECORDED);
  const model = await Janus.load(source, { threads: 1, variant: "simd" });
  const { inputsEmbeds } = await model.prepareInputsEmbeds({
    inputIds: recorded["input_ids"] as Tensor<"int64">,
    pixelValues: recorded["pixel_values"] as Tensor<"float32">,
    imagesSeqMask: recorded["images_seq_mask"] as Tensor<"bool">,
    imagesEmbMask: recorded["images_emb_mask"] as Tensor<"bool">,
  });
  await model.dispose();
  return bytesOf(inputsEmbeds);
}

test("prepareInputsEmbeds asks for no file of the tokenizer, packed or not", async () => {
  const original = recordedFiles(CHECKPOINT);
  const packed = join(folder, "packed");
  await pack(golden(`checkpoints/${CHECKPOINT}`), packed);
  const answers: Buffer[] = [];
  for (const source of [bytesSource(original), directorySource(packed)]) {
    const seen = watched(source);
    answers.push(await embedsOf(seen.source));
    assert.ok(seen.paths.has("config.json"));
    assert.equal(
      [...seen.paths].filter((path) => TOKENIZER.test(path)),
      [],
    );
  }
  assert.ok(answers[0]!.equals(answers[1]!));
});

test("--inputs, and encode, answer the same beside files that are no tokenizer", async () => {
  const broken = join(folder, "broken");
  cpSync(join(folder, "packed"), broken, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer.janus", "tokenizer_config.json", "special_tokens_map.json"])
    writeFileSync(join(broken, file), "not a tokenizer");
  const embeds: Buffer[] = [];
  for (const model of [golden(`checkpoints/${CHECKPOINT}`), broken]) {
    const output = join(folder, `${embeds.length}.safetensors`);
    const run = await janus(["embed", "--model", model, "--inputs", RECORDED, "--output", output]);
    assert.is(run.status, 0, run.stderr);
    embeds.push(bytesOf((await readTensors(output))["inputs_embeds"]));
  }
  assert.ok(embeds[0]!.equals(embeds[1]!));
  const prompted = await janus([
    "embed",
    "--model",
    broken,
    "--question",
    "Why?",
    "--output",
    join(folder, "x.safetensors"),
  ]);
  assert.is(prompted.status, 4);
  assert.match(prompted.stderr, /E_FORMAT: .*tokenizer\.janus/);
  const encoded = join(folder, "encoded.safetensors");
  const encode = ["encode", "--model", broken, "--image", golden("images/china-150x100.png"), "--output", encoded];
  assert.is((await janus(encode)).status, 0);
});

test.run();
