/**
 * The language model of a demo checkpoint as ONNX graphs, cut where the export of Janus for transformers.js is: embeddings and the keys and
 * values of earlier positions in, the normalised last hidden state out; and the head. A Llama decoder, operator by operator what
 * examples/answer/language-model.mjs computes position by position.
 */

import {
  type Attributes,
  BOOL,
  FLOAT,
  floatTensor,
  INT64,
  integerTensor,
  model,
  node,
  value,
} from "../../bench/peers/onnx.js";
import type { Message } from "../../bench/peers/protobuf.js";
import { readWeights } from "../../examples/answer/checkpoint.mjs";

export interface LanguageConfig {
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

interface Weight {
  readonly shape: number[];
  readonly data: Float32Array;
}

export type Weights = ReadonlyMap<string, Weight>;

/** Of a checkpoint in the original layout with one safetensors file. */
export function languageModelWeights(folder: string): Promise<Weights> {
  return readWeights(`${folder}/model.safetensors`, (name) => name.startsWith("language_model."));
}

/** Nodes and constants by name, in the order in which they are asked for. */
export class Graph {
  readonly nodes: Message[] = [];
  readonly #constants = new Map<string, Message>();

  op(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output = `${op}.${this.nodes.length}`,
  ): string {
    this.nodes.push(node(op, inputs, [output], attributes));
    return output;
  }

  floats(name: string, dims: readonly number[], data: Float32Array): string {
    return this.#constant(name, () =>
      floatTensor(name, dims, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    );
  }

  scalar(number: number): string {
    return this.floats(`float ${number}`, [], Float32Array.of(number));
  }

  integers(values: readonly number[]): string {
    return this.#constant(`integers ${values}`, () => integerTensor(`integers ${values}`, values));
  }

  integer(number: number): string {
    return this.#constant(`integer ${number}`, () => integerTensor(`integer ${number}`, [number], []));
  }

  /** ModelProto. */
  message(name: string, inputs: readonly Message[], outputs: readonly Message[]): Message {
    return model({ name, nodes: this.nodes, constants: [...this.#constants.values()], inputs, outputs });
  }

  #constant(name: string, make: () => Message): string {
    if (!this.#constants.has(name)) this.#constants.set(name, make());
    return name;
  }
}

/** language_model.onnx: inputs_embeds, attention_mask, position_ids, past_key_values.* to last_hidden_state, present.*. */
export function languageModelGraph(weights: Weights, config: LanguageConfig): Message {
  const decoder = new Decoder(weights, config);
  const past = ["batch_size", decoder.heads, "past_sequence_length", decoder.headDim];
  const inputs = [
    value("inputs_embeds", ["batch_size", "sequence_length", decoder.dim]),
    value("attention_mask", ["batch_size", "total_sequence_length"], INT64),
    value("position_ids", ["batch_size", "sequence_length"], INT64),
  ];
  const outputs = [value("last_hidden_state", ["batch_size", "sequence_length", decoder.dim])];
  const present = past.with(2, "total_sequence_length");
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    for (const part of ["key", "value"]) {
      inputs.push(value(`past_key_values.${layer}.${part}`, past));
      outputs.push(value(`present.${layer}.${part}`, present));
    }
  }
  decoder.run();
  return decoder.graph.message("demo language model", inputs, outputs);
}

/** lm_head.onnx: last_hidden_state to logits. */
export function headGraph(weights: Weights): Message {
  const graph = new Graph();
  const { shape, data } = weightOf(weights, "lm_head");
  const [rows = 0, dim = 0] = shape;
  const weight = graph.floats("lm_head", [dim, rows], transposed(data, rows, dim));
  graph.op("MatMul", ["last_hidden_state", weight], {}, "logits");
  const positions = ["batch_size", "sequence_length"];
  return graph.message(
    "demo head",
    [value("last_hidden_state", [...positions, dim])],
    [value("logits", [...positions, rows])],
  );
}

class Decoder {
  readonly graph = new Graph();
  readonly heads: number;
  readonly dim: number;
  readonly headDim: number;
  readonly #weights: Weights;
  readonly #config: LanguageConfig;

  constructor(weights: Weights, config: LanguageConfig) {
    this.#weights = weights;
    this.#config = config;
    this.heads = config.num_attention_heads;
    this.dim = weightOf(weights, "model.norm").shape[0] ?? 0;
    this.headDim = this.dim / this.heads;
  }

  run(): void {
    const allowed = this.#allowed();
    const turns = this.#turns();
    let x = "inputs_embeds";
    for (let n = 0; n < this.#config.num_hidden_layers; n++) {
      const layer = `model.layers.${n}`;
      const h = this.#norm(x, `${layer}.input_layernorm`);
      const query = this.#rotate(this.#split(this.#linear(h, `${layer}.self_attn.q_proj`)), turns);
      const key = this.#rotate(this.#split(this.#linear(h, `${layer}.self_attn.k_proj`)), turns);
      const keys = this.#append(key, n, "key");
      const values = this.#append(this.#split(this.#linear(h, `${layer}.self_attn.v_proj`)), n, "value");
      const mixed = this.#attend(query, keys, values, allowed);
      x = this.graph.op("Add", [x, this.#linear(mixed, `${layer}.self_attn.o_proj`)]);

      const g = this.#norm(x, `${layer}.post_attention_layernorm`);
      const gate = this.#linear(g, `${layer}.mlp.gate_proj`);
      const silu = this.graph.op("Mul", [gate, this.graph.op("Sigmoid", [gate])]);
      const up = this.graph.op("Mul", [silu, this.#linear(g, `${layer}.mlp.up_proj`)]);
      x = this.graph.op("Add", [x, this.#linear(up, `${layer}.mlp.down_proj`)]);
    }
    this.#norm(x, "model.norm", "last_hidden_state");
  }

  /** bool [B,1,T,S]: position t sees s where the mask keeps s, and s is not later. */
  #allowed(): string {
    const { graph } = this;
    const size = (of: string, axis: number): string =>
      graph.op("Gather", [graph.op("Shape", [of]), graph.integer(axis)], { axis: 0 });
    const total = size("attention_mask", 1);
    const first = graph.op("Sub", [total, size("inputs_embeds", 1)]);
    const columns = graph.op("Range", [graph.integer(0), total, graph.integer(1)]);
    const rows = graph.op("Range", [first, total, graph.integer(1)]);
    const causal = graph.op("LessOrEqual", [columns, graph.op("Unsqueeze", [rows, graph.integers([1])])]);
    const kept = graph.op("Cast", ["attention_mask"], { to: BOOL });
    return graph.op("And", [causal, graph.op("Unsqueeze", [kept, graph.integers([1, 2])])]);
  }

  /** Cosines and sines [B,1,T,headDim/2] of every position. */
  #turns(): { readonly cos: string; readonly sin: string } {
    const { graph } = this;
    const { rope_theta } = this.#config;
    const half = this.headDim / 2;
    const frequencies = Float32Array.from({ length: half }, (_, i) => rope_theta ** ((-2 * i) / this.headDim));
    const positions = graph.op("Cast", ["position_ids"], { to: FLOAT });
    const column = graph.op("Unsqueeze", [positions, graph.integers([1, 3])]);
    const angles = graph.op("Mul", [column, graph.floats("frequencies", [half], frequencies)]);
    return { cos: graph.op("Cos", [angles]), sin: graph.op("Sin", [angles]) };
  }

  /** [B,T,D] to [B,heads,T,headDim]. */
  #split(x: string): string {
    const { graph, heads, headDim } = this;
    return graph.op("Transpose", [graph.op("Reshape", [x, graph.integers([0, 0, heads, headDim])])], {
      perm: [0, 2, 1, 3],
    });
  }

  /** Element j of a head and its partner half a head further turn by the position's angle j. */
  #rotate(x: string, { cos, sin }: { readonly cos: string; readonly sin: string }): string {
    const { graph } = this;
    const half = this.headDim / 2;
    const part = (begin: number): string =>
      graph.op("Slice", [x, graph.integers([begin]), graph.integers([begin + half]), graph.integers([3])]);
    const [a, b] = [part(0), part(half)];
    const turned = [
      graph.op("Sub", [graph.op("Mul", [a, cos]), graph.op("Mul", [b, sin])]),
      graph.op("Add", [graph.op("Mul", [b, cos]), graph.op("Mul", [a, sin])]),
    ];
    return graph.op("Concat", turned, { axis: 3 });
  }

  #append(x: string, layer: number, part: "key" | "value"): string {
    return this.graph.op("Concat", [`past_key_values.${layer}.${part}`, x], { axis: 2 }, `present.${layer}.${part}`);
  }

  #attend(query: string, keys: string, values: string, allowed: string): string {
    const { graph } = this;
    const products = graph.op("MatMul", [query, graph.op("Transpose", [keys], { perm: [0, 1, 3, 2] })]);
    const scores = graph.op("Mul", [products, graph.scalar(this.headDim ** -0.5)]);
    const masked = graph.op("Where", [allowed, scores, graph.scalar(-1e9)]);
    const mixed = graph.op("MatMul", [graph.op("Softmax", [masked], { axis: -1 }), values]);
    const joined = graph.op("Transpose", [mixed], { perm: [0, 2, 1, 3] });
    return graph.op("Reshape", [joined, graph.integers([0, 0, this.dim])]);
  }

  /** x / sqrt(mean(x^2) + eps) * weight */
  #norm(x: string, name: string, output?: string): string {
    const { graph } = this;
    const mean = graph.op("ReduceMean", [graph.op("Mul", [x, x])], { axes: [-1], keepdims: 1 });
    const root = graph.op("Sqrt", [graph.op("Add", [mean, graph.scalar(this.#config.rms_norm_eps)])]);
    const { shape, data } = weightOf(this.#weights, name);
    return graph.op("Mul", [graph.op("Div", [x, root]), graph.floats(name, shape, data)], {}, output);
  }

  #linear(x: string, name: string): string {
    const { shape, data } = weightOf(this.#weights, name);
    const [rows = 0, columns = 0] = shape;
    return this.graph.op("MatMul", [x, this.graph.floats(name, [columns, rows], transposed(data, rows, columns))]);
  }
}

function weightOf(weights: Weights, name: string): Weight {
  const found = weights.get(`language_model.${name}.weight`);
  if (!found) throw new Error(`the checkpoint has no language_model.${name}.weight`);
  return found;
}

function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c] ?? 0;
  return out;
}
