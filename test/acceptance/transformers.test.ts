/** `janus-wasm/transformers` within the real transformers.js, on the demo model and its language model in ONNX; and the page of models/recipes. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Janus, JanusError, type Tensor } from "#dist/entry/node/index.js";
import { PrepareInputsEmbedsSession } from "#dist/entry/transformers/index.js";
import { answer } from "../../examples/answer/answer.mjs";
import { temporaryFolder } from "../support/cli.js";
import { countedModel } from "../support/counted-model.js";
import { DEMO, MADE, writeOnnxCheckpoint } from "../support/onnx-checkpoint.js";
import { ROOT } from "../support/paths.js";
import { inProject, readRecipe, runProgram } from "../support/recipe.js";
import { BUILDS, type Inputs, jsTensors, type Session, type TransformersJs } from "../support/transformers-js.js";
import { packagesInstalled } from "../support/transformers-packages.js";
import { rejection } from "../support/waiting.js";

interface Example {
  readonly images: readonly string[];
  readonly question: string;
  readonly answer: string;
  readonly expected_ids: readonly number[];
}

const GREEDY = { max_new_tokens: 24, do_sample: false };
/** config.json's eos_token_id. */
const EOS = 681;
const examples: readonly Example[] = JSON.parse(readFileSync(`${DEMO}/examples/examples.json`, "utf8"));
const paths = ({ images }: Example): string[] => images.map((name) => `${DEMO}/examples/${name}`);
const onnx = temporaryFolder();

/** All that a test touches, with our session in the place of the export's. */
async function loaded(library: TransformersJs) {
  const janus = await Janus.load(DEMO, { threads: 1 });
  const counted = countedModel(janus);
  const processor = await library.AutoProcessor.from_pretrained(onnx);
  const model = await library.MultiModalityCausalLM.from_pretrained(onnx, {
    dtype: "fp32",
    session_options: { intraOpNumThreads: 1 },
  });
  const blind = model.sessions["prepare_inputs_embeds"] as Session;
  const own = new PrepareInputsEmbedsSession(counted.model, { Tensor: library.Tensor }) as unknown as Session;
  /** Of the calls, by input: `1,40 1,1,3,96,96 1,40 1,1,36`. */
  const shapes: string[] = [];
  model.sessions["prepare_inputs_embeds"] = {
    ...{ inputNames: own.inputNames, release: () => own.release() },
    run(feeds) {
      shapes.push(own.inputNames.map((name) => `${feeds[name]?.dims}`).join(" "));
      return own.run(feeds);
    },
  };
  const generated = async (inputs: Inputs): Promise<number[]> => {
    const output = await model.generate({ ...inputs, ...GREEDY });
    const [, length = 0] = inputs["input_ids"]?.dims ?? [];
    return Array.from(output.slice(null, [length, null]).data as BigInt64Array, Number);
  };
  return {
    ...{ janus, processor, model, blind, shapes, encoded: counted.encoded, generated },
    async [Symbol.asyncDispose]() {
      // Some are disposed of by then, and onnxruntime refuses to do that twice.
      await Promise.allSettled([blind.release(), model.dispose()]);
      await janus.dispose();
    },
  };
}

/** Examples as our own processor makes a batch of them: the reference's pixels and ids. */
async function prepared(library: TransformersJs, janus: Janus, ...rows: readonly Example[]): Promise<Inputs> {
  const requests = rows.map((example) => ({ question: example.question, images: paths(example) }));
  const { inputIds, attentionMask, pixelValues, imagesSeqMask, imagesEmbMask } = await janus.prepare(requests);
  return jsTensors(library, {
    input_ids: inputIds,
    attention_mask: attentionMask,
    pixel_values: pixelValues,
    images_seq_mask: imagesSeqMask,
    images_emb_mask: imagesEmbMask,
  });
}

/** The plain reference of the whole: the reference's function, and the language model position by position, without onnxruntime. */
async function plainAnswer(janus: Janus, inputs: Inputs): Promise<number[]> {
  const { inputsEmbeds } = await janus.prepareInputsEmbeds({
    inputIds: inputs["input_ids"] as unknown as Tensor<"int64">,
    pixelValues: inputs["pixel_values"] as unknown as Tensor<"float32">,
    imagesSeqMask: inputs["images_seq_mask"] as unknown as Tensor<"bool">,
    imagesEmbMask: inputs["images_emb_mask"] as unknown as Tensor<"bool">,
  });
  const [given] = await answer(DEMO, inputsEmbeds, inputs["attention_mask"] as never);
  return [...(given?.ids ?? []), EOS];
}

const conversation = (example: Example): object[] => [
  {
    role: "<|User|>",
    content: `${"<image_placeholder>\n".repeat(example.images.length)}${example.question}`,
    images: paths(example),
  },
];

const tests = suite("transformers.js");

tests.before(() => writeOnnxCheckpoint(onnx));

const test = (name: string, work: (library: TransformersJs) => Promise<void>): void => {
  tests(name, async () => work(await BUILDS.import()));
};

for (const [build, load] of Object.entries(BUILDS)) {
  const test = (name: string, work: (library: TransformersJs) => Promise<void>): void => {
    tests(`${name} (${build})`, async () => work(await load()));
  };

  test("generate answers the recorded examples as PyTorch does, and encodes every picture once", async (library) => {
    await using used = await loaded(library);
    const { janus, model, shapes, encoded, generated } = used;
    let pictures = 0;
    for (const [n, example] of examples.entries()) {
      const inputs = await prepared(library, janus, example);
      shapes.length = 0;
      assert.equal(await generated(inputs), [...example.expected_ids, EOS], example.question);
      pictures += example.images.length;
      assert.is(encoded(), pictures, `${example.question}: once a picture`);
      assert.is(shapes.length, example.expected_ids.length + 1, "a call a token");

      assert.equal(await generated(inputs), [...example.expected_ids, EOS], example.question);
      assert.is(encoded(), pictures, "and not again for the same picture");

      if (n % 3 > 0) continue;
      const seeing = model.sessions["prepare_inputs_embeds"] as Session;
      model.sessions["prepare_inputs_embeds"] = used.blind;
      assert.not.equal(await generated(inputs), [...example.expected_ids, EOS], "without the picture");
      model.sessions["prepare_inputs_embeds"] = seeing;
    }
    const { inputs_embeds } = await model(await prepared(library, janus, examples[0]!));
    assert.instance(inputs_embeds, library.Tensor);
    assert.not.instance(inputs_embeds?.ort_tensor, library.Tensor, "one of its tensors around onnxruntime's, not two");
  });

  test("generate_images: ids doubled for guidance, masks of one row", async (library) => {
    await using used = await loaded(library);
    const { processor, model, shapes, encoded } = used;
    const inputs = await processor([{ role: "<|User|>", content: "A red circle" }], { chat_template: "text_to_image" });
    const options = { ...inputs, guidance_scale: 3, do_sample: false };
    const codes = MADE.side ** 2;
    const draw = async (): Promise<number[]> => {
      const [image] = await model.generate_images({ ...options, max_new_tokens: codes });
      return [...(image?.data ?? [])];
    };
    const ours = await draw();
    const [, length = 0] = inputs["input_ids"]?.dims ?? [];
    assert.equal(shapes, [`2,${length} 0,0,3,384,384 1,${length} 1,0,${used.janus.config.tokens}`]);
    assert.is(encoded(), 0);
    assert.is(ours.length, 3 * codes);
    model.sessions["prepare_inputs_embeds"] = used.blind;
    assert.equal(ours, await draw(), "of text the export's own session knows the rows");
  });
}

test("its own processor: our ids, and the answers of the reference's function on its pixels", async (library) => {
  await using used = await loaded(library);
  const { janus, processor, generated } = used;
  for (const example of examples.filter((_, n) => n % 3 === 2)) {
    const inputs = await processor(conversation(example));
    const ours = await prepared(library, janus, example);
    assert.equal(inputs["input_ids"]?.data, ours["input_ids"]?.data, example.question);
    assert.equal(await generated(inputs), await plainAnswer(janus, inputs), example.question);
  }
});

test("the calls: a prompt with a picture, one without, further tokens", async (library) => {
  await using used = await loaded(library);
  const { processor, model, shapes, encoded, generated } = used;
  const { tokens, imageSize } = used.janus.config;
  const token = "1,1 0,0,3,384,384 1,1 1,1,0";

  const seeing = await processor(conversation(examples[0]!));
  const { length } = await generated(seeing);
  const [, prompt = 0] = seeing["input_ids"]?.dims ?? [];
  const picture = `1,${prompt} 1,1,3,${imageSize},${imageSize} 1,${prompt} 1,1,${tokens}`;
  assert.equal(shapes, [picture, ...Array(length - 1).fill(token)]);
  assert.is(encoded(), 1);

  shapes.length = 0;
  const text = await processor([{ role: "<|User|>", content: "Who are you?" }]);
  const ids = await generated(text);
  const [, words = 0] = text["input_ids"]?.dims ?? [];
  const alone = `1,${words} 0,0,3,384,384 1,${words} 1,0,${tokens}`;
  assert.equal(shapes, [alone, ...Array(ids.length - 1).fill(token)]);
  assert.is(encoded(), 1);
  model.sessions["prepare_inputs_embeds"] = used.blind;
  assert.equal(ids, await generated(text), "of text the export's own session knows the rows");
  assert.ok(ids.length > 3);
});

test("a batch that our processor padded: every row its answer", async (library) => {
  await using used = await loaded(library);
  const { janus, model, encoded } = used;
  const rows = [examples[6]!, examples[10]!, { ...examples[0]!, images: [], question: "Who are you?" }];
  const inputs = await prepared(library, janus, ...rows);
  const [, length = 0] = inputs["input_ids"]?.dims ?? [];
  const answers = (await model.generate({ ...inputs, ...GREEDY })).slice(null, [length, null]).tolist() as bigint[][];
  assert.is(encoded(), 3);
  for (const [n, ids] of answers.entries()) {
    const { inputsEmbeds, attentionMask } = await janus.embed({ question: rows[n]!.question, images: paths(rows[n]!) });
    const [given] = await answer(DEMO, inputsEmbeds, attentionMask);
    assert.equal(ids.slice(0, ids.indexOf(BigInt(EOS))).map(Number), given?.ids, rows[n]?.question);
  }
});

test("another question about the same picture does not encode it again", async (library) => {
  await using used = await loaded(library);
  const { janus, processor, encoded, generated } = used;
  for (const question of ["What is on the right?", "How many shapes are there?"]) {
    const inputs = await processor(conversation({ ...examples[6]!, question }));
    assert.equal(await generated(inputs), await plainAnswer(janus, inputs), question);
  }
  assert.is(encoded(), 1);
});

test("a refusal comes out of generate as it is; disposing of the model releases the session, and Janus stays", async (library) => {
  await using used = await loaded(library);
  const { janus, processor, model, generated } = used;
  const inputs = await processor(conversation(examples[2]!));
  const masks = new library.Tensor("bool", new Uint8Array(2 * janus.config.tokens), [1, 2, janus.config.tokens]);
  const error = await rejection(generated({ ...inputs, images_emb_mask: masks }));
  assert.instance(error, JanusError);
  assert.is((error as JanusError).code, "E_PROMPT");
  const ids = await generated(inputs);

  await model.dispose();
  const feeds = inputs as never;
  const released = await rejection((model.sessions["prepare_inputs_embeds"] as Session).run(feeds));
  assert.is((released as JanusError).code, "E_DISPOSED");
  assert.equal(await plainAnswer(janus, inputs), ids);
});

tests("the recipe prints what it says, with either processor", async () => {
  const { programs, prints } = readRecipe("transformers-js");
  const [program = "", replace = "", prepare = ""] = programs;
  assert.match(program, /new PrepareInputsEmbedsSession\(janus, \{ Tensor \}\)/);
  const args = [DEMO, onnx, `${DEMO}/examples/06.png`, "What is on the right?"];
  assert.is(await runProgram(program, args), prints);

  const line = "const inputs = await processor(conversation);\n";
  assert.ok(program.includes(line));
  assert.is(await runProgram(program.replace(line, prepare), args), prints);

  // The whole export, and the one line after it.
  const begin = program.indexOf("const config = ");
  const end = program.indexOf("const conversation = ");
  const whole = `const model = await MultiModalityCausalLM.from_pretrained(onnx, { dtype: "fp32" });\n${replace}`;
  assert.is(await runProgram(program.slice(0, begin) + whole + program.slice(end), args), prints);
});

tests("the types fit transformers.js' own, in a strict project", () =>
  inProject((project) => {
    const source = `
      import { MultiModalityCausalLM, Tensor } from "@huggingface/transformers";
      import { Janus } from "janus-wasm";
      import { PrepareInputsEmbedsSession } from "janus-wasm/transformers";
      const session = new PrepareInputsEmbedsSession(await Janus.load("a"), { Tensor });
      const model = await MultiModalityCausalLM.from_pretrained("b");
      model.sessions["prepare_inputs_embeds"] = session;
      const tensor = new Tensor("bool", [true], [1]);
      const feeds = { input_ids: tensor, pixel_values: tensor, images_seq_mask: tensor, images_emb_mask: tensor };
      const { inputs_embeds }: { inputs_embeds: Tensor } = await session.run(feeds);
      console.log(inputs_embeds.dims);
      // @ts-expect-error: an input is missing
      await session.run({ ...feeds, input_ids: undefined });`;
    writeFileSync(`${project}/use.ts`, source);
    const strict = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"];
    const { status, stdout } = spawnSync(
      process.execPath,
      [`${ROOT}node_modules/typescript/bin/tsc`, ...strict, "use.ts"],
      { cwd: project, encoding: "utf8" },
    );
    assert.is(status, 0, stdout);
  }),
);

if (packagesInstalled()) tests.run();
