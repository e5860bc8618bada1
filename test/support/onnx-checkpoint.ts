/**
 * The demo checkpoint as a folder that transformers.js loads: onnx/ with the six sessions of its MultiModalityCausalLM, and configuration files with
 * what its processor wants beside Janus' own.
 *
 * language_model and lm_head are the demo model's, exactly. `prepare_inputs_embeds` is blind: it looks ids up and leaves pictures out, so a
 * test that forgets to replace it gets wrong answers. The demo model makes no pictures: gen_head, gen_img_embeds and image_decode are made-up tables, for
 * the calls of image generation.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { BOOL, INT64, value } from "../../bench/peers/onnx.js";
import type { Message } from "../../bench/peers/protobuf.js";
import {
  Graph,
  headGraph,
  type LanguageConfig,
  languageModelGraph,
  languageModelWeights,
  type Weights,
} from "./language-model-graph.js";
import { ROOT } from "./paths.js";

export const DEMO = `${ROOT}models/demo`;

/** Tokens of a picture that is made, in a square, and entries of its code book. */
export const MADE = { side: 2, codes: 16 } as const;

/** A conversation as Janus' processor renders it, after BOS and the system prompt. */
const CONVERSATION =
  "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + ('\\n\\n' if loop.index0 % 2 == 0 else eos_token) }}{% endfor %}<|Assistant|>:";

/** Writes `folder`; about 4 MB. */
export async function writeOnnxCheckpoint(folder: string): Promise<void> {
  const config = readJson("config.json");
  const language = config["language_config"] as LanguageConfig & Record<string, number>;
  const weights = await languageModelWeights(DEMO);
  mkdirSync(`${folder}/onnx`, { recursive: true });
  const graphs = {
    prepare_inputs_embeds: blindGraph(weights),
    language_model: languageModelGraph(weights, language),
    lm_head: headGraph(weights),
    gen_head: genHeadGraph(language["hidden_size"] ?? 0),
    gen_img_embeds: genEmbedsGraph(language["hidden_size"] ?? 0),
    image_decode: decodeGraph(),
  };
  for (const [name, message] of Object.entries(graphs)) {
    writeFileSync(`${folder}/onnx/${name}.onnx`, Buffer.concat(message.map(bytesOf)));
  }
  for (const name of ["config.json", "tokenizer.json", "preprocessor_config.json"]) {
    copyFileSync(`${DEMO}/${name}`, `${folder}/${name}`);
  }
  const { bos_token_id, eos_token_id, pad_token_id } = language;
  writeJson(`${folder}/generation_config.json`, { bos_token_id, eos_token_id, pad_token_id });
  writeJson(`${folder}/processor_config.json`, {
    ...readJson("processor_config.json"),
    image_start_tag: "<begin_of_image>",
    image_end_tag: "<end_of_image>",
  });
  writeJson(`${folder}/tokenizer_config.json`, {
    ...readJson("tokenizer_config.json"),
    chat_template: [
      { name: "default", template: `{{ bos_token }}${systemPrompt()}\n\n${CONVERSATION}` },
      { name: "text_to_image", template: `{{ bos_token }}${CONVERSATION}<begin_of_image>` },
    ],
  });
}

/** Of Janus' processor, as the recorded examples have it. */
function systemPrompt(): string {
  const [{ prompt }] = JSON.parse(readFileSync(`${DEMO}/examples/examples.json`, "utf8"));
  return prompt.slice(0, prompt.indexOf("\n\n"));
}

/** prepare_inputs_embeds.onnx without a vision tower. */
function blindGraph(weights: Weights): Message {
  const { shape = [], data = new Float32Array() } = weights.get("language_model.model.embed_tokens.weight") ?? {};
  const graph = new Graph();
  graph.op("Gather", [graph.floats("embed_tokens", shape, data), "input_ids"], { axis: 0 }, "inputs_embeds");
  const inputs = [
    value("input_ids", ["batch_size", "sequence_length"], INT64),
    value("pixel_values", ["image_batch_size", "num_images", 3, "height", "width"]),
    value("images_seq_mask", ["mask_batch_size", "mask_length"], BOOL),
    value("images_emb_mask", ["mask_batch_size", "num_images_or_one", "num_image_tokens"], BOOL),
  ];
  const output = value("inputs_embeds", ["batch_size", "sequence_length", shape[1] ?? 0]);
  return graph.message("blind embeddings", inputs, [output]);
}

function genHeadGraph(dim: number): Message {
  const graph = new Graph();
  const weight = graph.floats("gen_head", [dim, MADE.codes], table(dim * MADE.codes, 0.37));
  graph.op("MatMul", ["last_hidden_state", weight], {}, "logits");
  const positions = ["batch_size", "sequence_length"];
  return graph.message(
    "made-up image head",
    [value("last_hidden_state", [...positions, dim])],
    [value("logits", [...positions, MADE.codes])],
  );
}

function genEmbedsGraph(dim: number): Message {
  const graph = new Graph();
  const weight = graph.floats("gen_embed", [MADE.codes, dim], table(MADE.codes * dim, 0.61));
  graph.op("Gather", [weight, "image_ids"], { axis: 0 }, "inputs_embeds");
  const positions = ["batch_size", "sequence_length"];
  return graph.message(
    "made-up image embeddings",
    [value("image_ids", positions, INT64)],
    [value("inputs_embeds", [...positions, dim])],
  );
}

/** A colour for each code, in rows. */
function decodeGraph(): Message {
  const graph = new Graph();
  const { side, codes } = MADE;
  const colours = graph.floats("code_book", [codes, 3], table(3 * codes, 0.83));
  const pixels = graph.op("Transpose", [graph.op("Gather", [colours, "generated_tokens"], { axis: 0 })], {
    perm: [0, 2, 1],
  });
  graph.op("Reshape", [pixels, graph.integers([-1, 3, side, side])], {}, "decoded_image");
  return graph.message(
    "made-up image decoder",
    [value("generated_tokens", ["batch_size", side ** 2], INT64)],
    [value("decoded_image", ["batch_size", 3, side, side])],
  );
}

/** Numbers in (-1, 1) without a pattern that matters. */
function table(length: number, step: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(1 + i * (1 + step)));
}

function bytesOf(piece: Message[number]): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  throw new Error("a piece of the graph is not at hand");
}

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${DEMO}/${name}`, "utf8"));
}

function writeJson(path: string, content: unknown): void {
  writeFileSync(path, JSON.stringify(content, undefined, 2));
}
