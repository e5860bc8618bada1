/** The trained demo model: recorded examples, answers of its own language model, and a part of its evaluation set. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import type { Tensor } from "#dist/entry/node/index.js";
import { Janus } from "#dist/entry/node/index.js";
import { answer } from "../../examples/answer/answer.mjs";
import { named } from "../support/cases.js";
import { RUNS } from "../support/engine.js";
import { huggingFaceLayout } from "../support/huggingface-layout.js";
import { golden, ROOT } from "../support/paths.js";
import { bytesOf, readTensors } from "../support/tensors.js";

interface Example {
  readonly images: readonly string[];
  readonly question: string;
  readonly answer: string;
  readonly expected_ids: readonly number[];
}

interface Sample {
  readonly images: readonly string[];
  readonly question: string;
  readonly answer: string;
  readonly reference_answer: string;
  readonly reference_ids: readonly number[];
}

const DEMO = `${ROOT}models/demo`;
const examples: readonly Example[] = JSON.parse(readFileSync(`${DEMO}/examples/examples.json`, "utf8"));
const samples: readonly Sample[] = JSON.parse(readFileSync(golden("eval/eval.json"), "utf8"));

const request = (folder: string, { question, images }: Example | Sample) => ({
  question,
  images: images.map((name) => `${folder}/${name}`),
});

for (const run of RUNS) {
  const test = suite(`demo, ${run.title}`);

  test("examples: every recorded stage and answer", async () => {
    const recorded = await readTensors(`${DEMO}/examples/examples_expected.safetensors`);
    const model = await Janus.load(DEMO, run);
    assert.is(examples.length, 12);
    for (const [n, example] of examples.entries()) {
      const of = (name: string): Tensor | undefined => recorded[`${String(n).padStart(2, "0")}.${name}`];
      const out = await model.embed(request(`${DEMO}/examples`, example), { stages: true });
      const stages = named(out);
      for (const name of ["input_ids", "attention_mask", "images_seq_mask", "images_emb_mask", "pixel_values"]) {
        assert.ok(bytesOf(stages[name]).equals(bytesOf(of(name))), `${n} ${name}`);
      }
      for (const name of ["image_features", "image_embeds", "inputs_embeds"]) {
        const [actual, expected] = [stages[name], of(name)];
        const found = difference(actual?.data as Float32Array, expected?.data as Float32Array, expected?.dims.at(-1));
        assert.ok(isWithin(found), `${n} ${name}: ${differenceText(found)}`);
      }
      const [given] = await answer(DEMO, out.inputsEmbeds, out.attentionMask);
      assert.equal(given?.ids, example.expected_ids, `${n}: ${example.question}`);
      assert.is(given?.text, example.answer);
    }
    await model.dispose();
  });

  test("the other layout gives identical bytes", async () => {
    const [original, other] = [await Janus.load(DEMO, run), await Janus.load(await huggingFaceLayout(DEMO), run)];
    for (const example of examples) {
      const asked = request(`${DEMO}/examples`, example);
      // Hugging Face's processor has the system prompt of the reference when asked to; the recorded examples were made with it.
      const [a, b] = [await original.embed(asked, { stages: true }), await other.embed(asked, { stages: true })];
      assert.ok(bytesOf(a.inputsEmbeds).equals(bytesOf(b.inputsEmbeds)), example.question);
      for (const [name, stage] of Object.entries(a.stages ?? {})) {
        assert.ok(bytesOf(stage).equals(bytesOf(b.stages?.[name])), `${example.question}: ${name}`);
      }
    }
    await original.dispose();
    await other.dispose();
  });

  test("evaluation samples: the reference's answers", async () => {
    const model = await Janus.load(DEMO, run);
    assert.ok(samples.length >= 24, "a few dozen samples");
    for (const sample of samples) {
      const out = await model.embed(request(golden("eval"), sample));
      const [given] = await answer(DEMO, out.inputsEmbeds, out.attentionMask);
      assert.equal(given?.ids, sample.reference_ids, sample.question);
      assert.is(given?.text, sample.reference_answer);
    }
    await model.dispose();
  });

  test.run();
}
