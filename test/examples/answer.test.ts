import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import { directorySource } from "#dist/entry/node/directory.js";
import { readTensor } from "#dist/weights/read-tensor.js";
import { parseSafetensors } from "#dist/weights/safetensors.js";
import { answer } from "../../examples/answer/answer.mjs";
import { ROOT } from "../support/paths.js";

const test = suite("examples/answer");
const DEMO = `${ROOT}models/demo`;
const FILE = "examples_expected.safetensors";

/**
 * The recorded run is float32 and ours float64, so they differ by the rounding of the recorded one. Largest over the twelve: RMS-relative
 * 7.5e-7, an element 2.2e-6 times the RMS, 1 - cosine 3.3e-14. Six times that, as for every stage; the best two scores are 7 apart.
 */
const LOGIT_BOUNDS = { maxRelative: 4.5e-6, maxAbs: 1.4e-5, minCosine: 1 - 2e-13 };

interface Example {
  images: string[];
  question: string;
  answer: string;
  expected_ids: number[];
}

const examples: Example[] = JSON.parse(readFileSync(`${DEMO}/examples/examples.json`, "utf8"));

async function withRecorded(work: (read: (name: string) => ReturnType<typeof readTensor>) => Promise<void>) {
  const source = directorySource(`${DEMO}/examples`);
  try {
    const { tensors } = await parseSafetensors(source, FILE);
    await work((name) => readTensor(source, FILE, tensors.get(name)!));
  } finally {
    await source.close();
  }
}

/** A float32 tensor's dims and data. */
async function floats(tensor: ReturnType<typeof readTensor>) {
  const { type, dims, data } = await tensor;
  assert.is(type, "float32");
  return { dims, data: data as Float32Array };
}

async function mask(tensor: ReturnType<typeof readTensor>) {
  return { data: (await tensor).data as BigInt64Array };
}

test("every recorded embedding gives the recorded answer", () =>
  withRecorded(async (read) => {
    assert.is(examples.length, 12);
    for (const [i, example] of examples.entries()) {
      const prefix = String(i).padStart(2, "0");
      const embeds = await floats(read(`${prefix}.inputs_embeds`));
      const answers = await answer(DEMO, embeds, await mask(read(`${prefix}.attention_mask`)));
      assert.is(answers.length, 1);
      const [{ ids, text, firstLogits }] = answers as [(typeof answers)[0]];
      const recordedIds = (await read(`${prefix}.answer_ids`)).data as BigInt64Array;
      assert.equal(ids, Array.from(recordedIds, Number), prefix);
      assert.equal(ids, example.expected_ids, prefix);
      assert.is(text, example.answer, prefix);
      const recorded = await floats(read(`${prefix}.first_logits`));
      const found = difference(firstLogits, Float64Array.from(recorded.data));
      assert.ok(isWithin(found, LOGIT_BOUNDS), `${prefix} ${differenceText(found)}`);
    }
  }));

test("padding on either side changes nothing, and every row of a batch has its own answer", () =>
  withRecorded(async (read) => {
    const short = await floats(read("02.inputs_embeds"));
    const long = await floats(read("10.inputs_embeds"));
    const [, length, dim] = long.dims as [number, number, number];
    const kept = short.dims[1]!;
    assert.ok(kept < length);
    const data = new Float32Array(3 * length * dim).fill(1e30);
    const attention = new BigInt64Array(3 * length);
    data.set(long.data, 0);
    attention.fill(1n, 0, length);
    data.set(short.data, length * dim);
    attention.fill(1n, length, length + kept);
    data.set(short.data, (3 * length - kept) * dim);
    attention.fill(1n, 3 * length - kept, 3 * length);
    const answers = await answer(DEMO, { dims: [3, length, dim], data }, { data: attention });
    assert.equal(
      answers.map(({ text }) => text),
      [examples[10]!.answer, examples[2]!.answer, examples[2]!.answer],
    );
    assert.equal(answers[1]!.firstLogits, answers[2]!.firstLogits);
  }));

test.run();
