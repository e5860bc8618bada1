/** Every recorded case, on every checkpoint it applies to, through the API on every variant and through the command line. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import type { EmbedRequest, EmbedResult, Tensor } from "#dist/entry/node/index.js";
import { Janus } from "#dist/entry/node/index.js";
import { janus, temporaryFolder } from "../support/cli.js";
import { RUNS } from "../support/engine.js";
import { golden } from "../support/paths.js";
import { bytesOf, readTensors } from "../support/tensors.js";

interface Row {
  readonly prompt?: string;
  readonly images?: readonly string[];
  readonly conversation?: readonly { role: string; content: string; images?: readonly string[] }[];
  readonly rendered: string;
}

interface Case {
  readonly name: string;
  readonly checkpoint: string;
  readonly equivalent_checkpoints: readonly string[];
  readonly mode: "processor" | "tensors";
  readonly rows: readonly Row[];
  readonly image_rows_used: readonly number[];
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** Stages that must be exact; the rest is held against the float32 bounds. */
const EXACT = ["input_ids", "attention_mask", "images_seq_mask", "images_emb_mask", "pixel_values", "text_embeds"];

const CASES: readonly Case[] = readdirSync(golden("cases")).map((name) =>
  JSON.parse(readFileSync(golden(`cases/${name}/case.json`), "utf8")),
);
const CHECKPOINTS = [...new Set(CASES.flatMap((c) => [c.checkpoint, ...c.equivalent_checkpoints]))];

const image = (name: string): string => golden(`images/${name}`);

function request(row: Row): EmbedRequest {
  if (row.prompt !== undefined) return { prompt: row.prompt, images: (row.images ?? []).map(image) };
  const conversation = (row.conversation ?? []).map((message) => ({
    ...message,
    images: (message.images ?? []).map(image),
  }));
  return { conversation };
}

async function embed(model: Janus, c: Case, expected: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  if (c.mode === "processor") {
    const out = await model.embed(c.rows.map(request), { stages: true });
    return named(out);
  }
  const inputs = {
    inputIds: expected["input_ids"] as Tensor<"int64">,
    pixelValues: expected["pixel_values"] as Tensor<"float32">,
    imagesSeqMask: expected["images_seq_mask"] as Tensor<"bool">,
    imagesEmbMask: expected["images_emb_mask"] as Tensor<"bool">,
  };
  const before = bytesOf(inputs.inputIds).toString("hex");
  const out = await model.prepareInputsEmbeds(inputs, { stages: true });
  assert.is(bytesOf(inputs.inputIds).toString("hex"), before, "the caller's ids are untouched");
  const attentionMask = expected["attention_mask"] as Tensor<"int64">;
  return named({ ...inputs, ...out, attentionMask });
}

function named(out: Omit<EmbedResult, "timings">): Record<string, Tensor> {
  return {
    input_ids: out.inputIds,
    attention_mask: out.attentionMask,
    images_seq_mask: out.imagesSeqMask,
    images_emb_mask: out.imagesEmbMask,
    inputs_embeds: out.inputsEmbeds,
    ...out.stages,
  };
}

/** The recorded rows of the images that were really encoded: the recording holds the zero images of the padding, too. */
function used(c: Case, tensor: Tensor, name: string): Tensor {
  if (!/^(vision\.|image_embeds)/.test(name)) return tensor;
  const [, tokens = 0, width = 0] = tensor.dims;
  const per = tokens * width;
  const data = new Float32Array(c.image_rows_used.length * per);
  c.image_rows_used.forEach((row, at) => {
    data.set(tensor.data.subarray(row * per, (row + 1) * per) as Float32Array, at * per);
  });
  return { type: "float32", dims: [c.image_rows_used.length, tokens, width], data };
}

function check(c: Case, actual: Record<string, Tensor>, expected: Record<string, Tensor>): void {
  assert.equal(Object.keys(c.shapes).sort(), Object.keys(expected).sort(), "the recording is whole");
  for (const [name, recorded] of Object.entries(expected)) {
    const want = used(c, recorded, name);
    const got = actual[name === "vision.norm" ? "image_features" : name];
    assert.equal(got?.dims, want.dims, `${name}: dims`);
    if (EXACT.includes(name)) {
      assert.ok(bytesOf(got).equals(bytesOf(want)), `${name}: not equal to the recording`);
      continue;
    }
    const found = difference(got?.data as Float32Array, want.data as Float32Array, want.dims.at(-1));
    assert.ok(isWithin(found), `${name}: ${differenceText(found)}`);
  }
}

for (const run of RUNS) {
  const test = suite(`cases, API, ${run.title}`);
  for (const checkpoint of CHECKPOINTS) {
    test(checkpoint, async () => {
      const model = await Janus.load(golden(`checkpoints/${checkpoint}`), run);
      assert.is(model.runtime.variant, run.title);
      const cases = CASES.filter((c) => [c.checkpoint, ...c.equivalent_checkpoints].includes(checkpoint));
      assert.ok(cases.length > 0);
      for (const c of cases) {
        const expected = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
        try {
          check(c, await embed(model, c, expected), expected);
        } catch (error) {
          (error as Error).message = `${c.name}: ${(error as Error).message}`;
          throw error;
        }
      }
      await model.dispose();
    });
  }
  test("equivalent checkpoints give identical bytes", async () => {
    const pairs = CASES.flatMap((c) => c.equivalent_checkpoints.map((other) => [c, other] as const));
    assert.ok(pairs.length > 0);
    const [, other = ""] = pairs[0] ?? [];
    const models = [
      await Janus.load(golden(`checkpoints/${pairs[0]?.[0].checkpoint}`), run),
      await Janus.load(golden(`checkpoints/${other}`), run),
    ] as const;
    for (const [c] of pairs) {
      const expected = await readTensors(golden(`cases/${c.name}/expected.safetensors`));
      const [a, b] = [await embed(models[0], c, expected), await embed(models[1], c, expected)];
      for (const name of Object.keys(a)) assert.ok(bytesOf(a[name]).equals(bytesOf(b[name])), `${c.name}: ${name}`);
    }
    for (const model of models) await model.dispose();
  });
  test.run();
}

const commandLine = suite("cases, command line");
const folder = temporaryFolder();

for (const c of CASES) {
  for (const checkpoint of [c.checkpoint, ...c.equivalent_checkpoints]) {
    commandLine(`${c.name} on ${checkpoint}`, async () => {
      const output = join(folder, `${c.name}.${checkpoint}.safetensors`);
      const expected = golden(`cases/${c.name}/expected.safetensors`);
      const model = ["--model", golden(`checkpoints/${checkpoint}`), "--output", output, "--stages"];
      const embedded = await janus(["embed", ...model, ...flags(c, expected)]);
      assert.is(embedded.status, 0, embedded.stderr);
      const images = c.shapes["images_emb_mask"]?.slice(0, 2).reduce((a, b) => a * b, 1);
      const whole = c.image_rows_used.length === images;
      const only = whole ? [] : [...EXACT, "inputs_embeds"].flatMap((name) => ["--only", name]);
      const compared = await janus(["compare", output, expected, ...only]);
      assert.is(compared.status, 0, compared.stdout + compared.stderr);
    });
  }
}

/** The flags a user would take for a case: prompt, conversation, requests or recorded inputs. */
function flags(c: Case, expected: string): string[] {
  if (c.mode === "tensors") return ["--inputs", expected];
  const [row] = c.rows;
  if (c.rows.length > 1) {
    const path = join(folder, `${c.name}.jsonl`);
    writeFileSync(path, c.rows.map((each) => `${JSON.stringify(request(each))}\n`).join(""));
    return ["--requests", path];
  }
  if (row?.prompt !== undefined) {
    return ["--prompt", row.prompt, ...(row.images ?? []).flatMap((name) => ["--image", image(name)])];
  }
  const path = join(folder, `${c.name}.json`);
  const messages = (row?.conversation ?? []).map((message) => ({
    ...message,
    images: (message.images ?? []).map(image),
  }));
  writeFileSync(path, JSON.stringify(messages));
  return ["--conversation", path];
}

commandLine.run();
