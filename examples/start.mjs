// `npm start`: one picture and one question through the demo model, from the file to the answer.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Janus, writeSafetensors } from "janus-wasm";
import { answer } from "./answer/answer.mjs";

const MODEL = fileURLToPath(new URL("../models/demo/", import.meta.url));
const EXAMPLE = 6;
const OUTPUT = "demo.safetensors";
const COLUMN = 16;

/** @type {{ images: string[], question: string, answer: string }[]} */
const examples = JSON.parse(await readFile(`${MODEL}examples/examples.json`, "utf8"));
const { images, question, answer: expected } = examples[EXAMPLE];

const janus = await Janus.load(MODEL);
try {
  const { variant, threads, dtype, notes } = janus.runtime;
  console.log(`${"runtime".padEnd(COLUMN)} ${variant}, ${threads} thread${threads === 1 ? "" : "s"}, ${dtype} weights`);
  for (const note of notes) console.log(`${"".padEnd(COLUMN)} ${note}`);

  const out = await janus.embed({ question, images: images.map((name) => `${MODEL}examples/${name}`) });
  const tensors = {
    inputs_embeds: out.inputsEmbeds,
    attention_mask: out.attentionMask,
    input_ids: out.inputIds,
    images_seq_mask: out.imagesSeqMask,
    images_emb_mask: out.imagesEmbMask,
  };
  for (const [name, { type, dims }] of Object.entries(tensors)) {
    console.log(`${name.padEnd(COLUMN)} ${type.padEnd(8)} [${dims.join(", ")}]`);
  }
  for (const [stage, milliseconds] of Object.entries(out.timings)) {
    console.log(`${stage.padEnd(COLUMN)} ${milliseconds.toFixed(1).padStart(8)} ms`);
  }

  const bytes = await writeSafetensors(OUTPUT, tensors, { force: true });
  console.log(`${"written".padEnd(COLUMN)} ${OUTPUT}, ${bytes} bytes`);

  const [{ text }] = await answer(MODEL, out.inputsEmbeds, out.attentionMask);
  console.log(`\n${images.join(", ")}: ${question}\n${text}`);
  if (text !== expected) {
    console.error(`expected the answer ${JSON.stringify(expected)}`);
    process.exitCode = 1;
  }
} finally {
  await janus.dispose();
}
