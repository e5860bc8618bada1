/**
 * The vision tower and the aligner of a checkpoint in the original layout as an ONNX graph in float32: pixel_values [1,3,S,S] to image_embeds [1,P,D],
 * exact GELU, final norm applied. Operator for operator what torch.onnx.export makes of the reference (opset 17, constants folded), so that
 * runtimes find the patterns that they fuse: LayerNormalization, MatMul + Add with [in, out] weights, GELU as Div, Erf, Add, Mul, Mul.
 *
 * In int8 the linear layers are what onnxruntime's quantize_dynamic makes of them (per_channel, QInt8, MatMul only), its fastest in WebAssembly and the most exact:
 * DynamicQuantizeLinear, MatMulInteger with a symmetric int8 weight and a scale per column, Cast, Mul.
 */
import { type Attributes, byteTensor, FLOAT, floatTensor, integerTensor, model, node, value } from "./onnx.js";
import type { Message, Payload } from "./protobuf.js";

const TOWER = "vision_model.vision_tower.";
const EPS = 1e-6;

/** The checkpoint's tensors by their stored names. */
export interface StoredTensors {
  /** Undefined when there is none of this name. */
  shape(name: string): readonly number[] | undefined;
  /** All elements, row-major, widened. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

/** What the tensors do not tell. */
export interface GraphConfig {
  readonly imageSize: number;
  readonly heads: number;
  readonly int8?: boolean;
}

/** The largest level of a weight. */
const LEVELS = 127;

/** The graph; weights are read when the message is written. */
export function janusGraph(tensors: StoredTensors, { imageSize, heads, int8 = false }: GraphConfig): Message {
  const builder = new Builder(tensors, int8);
  const [width = 0, channels = 0, patch = 0] = builder.shape(`${TOWER}patch_embed.proj.weight`);
  const [dim = 0] = builder.shape("aligner.layers.2.weight");
  const tokens = (imageSize / patch) ** 2;
  const headWidth = width / heads;

  // x = conv2d(pixel_values, patch, bias, stride).flatten(2).transpose(1, 2) + pos_embed
  const grid = builder.op(
    "Conv",
    [
      "pixel_values",
      builder.weight(`${TOWER}patch_embed.proj.weight`),
      builder.weight(`${TOWER}patch_embed.proj.bias`),
    ],
    { dilations: [1, 1], group: 1, kernel_shape: [patch, patch], pads: [0, 0, 0, 0], strides: [patch, patch] },
  );
  const rows = builder.op("Transpose", [builder.reshape(grid, [1, width, tokens])], { perm: [0, 2, 1] });
  let x = builder.op("Add", [rows, builder.weight(`${TOWER}pos_embed`)]);

  for (let n = 0; builder.has(`${TOWER}blocks.${n}.norm1.weight`); n++) {
    const block = `${TOWER}blocks.${n}.`;
    // qkv = linear(norm(x)).reshape(b, p, 3, heads, c / heads).permute(2, 0, 3, 1, 4).unbind(0)
    const qkv = builder.linear(builder.norm(x, `${block}norm1`), `${block}attn.qkv`);
    const split = builder.reshape(qkv, [1, tokens, 3, heads, headWidth]);
    const [q, k, v] = builder.unbind(builder.op("Transpose", [split], { perm: [2, 0, 3, 1, 4] }), 3);
    // a = softmax((q * headWidth ** -0.5) @ k.transpose(-2, -1), -1) @ v
    const scaled = builder.op("Mul", [q, builder.scalar(headWidth ** -0.5)]);
    const scores = builder.op("MatMul", [scaled, builder.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
    const mixed = builder.op("MatMul", [builder.op("Softmax", [scores], { axis: -1 }), v]);
    const joined = builder.reshape(builder.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }), [1, tokens, width]);
    // x = x + linear(a); x = x + linear(gelu(linear(norm(x))))
    x = builder.op("Add", [x, builder.linear(joined, `${block}attn.proj`)]);
    const hidden = builder.gelu(builder.linear(builder.norm(x, `${block}norm2`), `${block}mlp.fc1`));
    x = builder.op("Add", [x, builder.linear(hidden, `${block}mlp.fc2`)]);
  }

  const features = builder.norm(x, `${TOWER}norm`);
  const hidden = builder.gelu(builder.linear(features, "aligner.layers.0"));
  builder.linear(hidden, "aligner.layers.2", "image_embeds");
  return model({
    name: "janus vision and aligner",
    nodes: builder.nodes,
    constants: [...builder.constants.values()],
    inputs: [value("pixel_values", [1, channels, imageSize, imageSize])],
    outputs: [value("image_embeds", [1, tokens, dim])],
  });
}

/** Names outputs, and takes every constant in once. */
class Builder {
  readonly nodes: Message[] = [];
  readonly constants = new Map<string, Message>();
  readonly #tensors: StoredTensors;
  readonly #int8: boolean;
  /** Activations in 8 bits, by the name of what they were. */
  readonly #quantised = new Map<string, { readonly levels: string; readonly scale: string; readonly zero: string }>();

  constructor(tensors: StoredTensors, int8: boolean) {
    this.#tensors = tensors;
    this.#int8 = int8;
  }

  has(name: string): boolean {
    return this.#tensors.shape(name) !== undefined;
  }

  shape(name: string): readonly number[] {
    const shape = this.#tensors.shape(name);
    if (!shape) throw new Error(`the checkpoint has no ${name}: expected the original layout`);
    return shape;
  }

  op(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output = `${op}.${this.nodes.length}`,
  ): string {
    this.nodes.push(node(op, inputs, [output], attributes));
    return output;
  }

  /** A stored tensor, in its own shape. */
  weight(name: string): string {
    return this.#constant(name, () => floatTensor(name, this.shape(name), this.#payload(name)));
  }

  /** torch.nn.Linear: its weight as [in, out]. */
  linear(x: string, name: string, output?: string): string {
    const product = this.#int8 ? this.#productInt8(x, name) : this.#product(x, name);
    return this.op("Add", [product, this.weight(`${name}.bias`)], {}, output);
  }

  #product(x: string, name: string): string {
    const weight = this.#constant(`${name}.weight`, () => {
      const [columns = 0, k = 0] = this.shape(`${name}.weight`);
      return floatTensor(
        `${name}.weight`,
        [k, columns],
        this.#payload(`${name}.weight`, (data) => transposed(data, columns, k)),
      );
    });
    return this.op("MatMul", [x, weight]);
  }

  #productInt8(x: string, name: string): string {
    const stored = `${name}.weight`;
    const [columns = 0, k = 0] = this.shape(stored);
    const read = (): Promise<Float32Array> => this.#tensors.read(stored);
    const weight = this.#constant(stored, () => {
      const bytes = async (): Promise<Uint8Array> => {
        const data = await read();
        const scales = columnScales(data, k);
        const levels = Float32Array.from(data, (value, i) => Math.round(value / (scales[Math.floor(i / k)] || 1)));
        return new Uint8Array(Int8Array.from(transposed(levels, columns, k)).buffer);
      };
      return byteTensor(stored, [k, columns], { bytes: k * columns, read: bytes });
    });
    const scales = this.#constant(`${name}.scales`, () => {
      const bytes = async (): Promise<Uint8Array> => new Uint8Array(columnScales(await read(), k).buffer);
      return floatTensor(`${name}.scales`, [columns], { bytes: 4 * columns, read: bytes });
    });
    const zeros = this.#constant(`zeros ${columns}`, () =>
      byteTensor(`zeros ${columns}`, [columns], new Uint8Array(columns)),
    );
    const { levels, scale, zero } = this.#quantise(x);
    const product = this.op("Cast", [this.op("MatMulInteger", [levels, weight, zero, zeros])], { to: FLOAT });
    return this.op("Mul", [product, this.op("Mul", [scale, scales])]);
  }

  #quantise(x: string): { readonly levels: string; readonly scale: string; readonly zero: string } {
    const known = this.#quantised.get(x);
    if (known) return known;
    const made = { levels: `${x} levels`, scale: `${x} scale`, zero: `${x} zero` };
    this.nodes.push(node("DynamicQuantizeLinear", [x], [made.levels, made.scale, made.zero]));
    this.#quantised.set(x, made);
    return made;
  }

  norm(x: string, name: string): string {
    const inputs = [x, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.op("LayerNormalization", inputs, { axis: -1, epsilon: { float: EPS } });
  }

  /** x * (erf(x / sqrt 2) + 1) * 0.5, in the exporter's order. */
  gelu(x: string): string {
    const erf = this.op("Erf", [this.op("Div", [x, this.scalar(Math.SQRT2)])]);
    const product = this.op("Mul", [x, this.op("Add", [erf, this.scalar(1)])]);
    return this.op("Mul", [product, this.scalar(0.5)]);
  }

  reshape(x: string, dims: readonly number[]): string {
    return this.op("Reshape", [x, this.#constant(`shape ${dims}`, () => integerTensor(`shape ${dims}`, dims))]);
  }

  /** The `count` = 3 parts of the first axis, each without it. */
  unbind(x: string, count: 3): [string, string, string] {
    const parts = Array.from({ length: count }, (_, i) => `Split.${this.nodes.length}.${i}`);
    const ones = this.#constant("ones", () => integerTensor("ones", [1, 1, 1]));
    this.nodes.push(node("Split", [x, ones], parts, { axis: 0 }));
    const axis = this.#constant("first axis", () => integerTensor("first axis", [0]));
    return parts.map((part) => this.op("Squeeze", [part, axis])) as [string, string, string];
  }

  scalar(number: number): string {
    const name = `scalar ${number}`;
    return this.#constant(name, () => floatTensor(name, [], new Uint8Array(Float32Array.of(number).buffer)));
  }

  #constant(name: string, make: () => Message): string {
    if (!this.constants.has(name)) this.constants.set(name, make());
    return name;
  }

  #payload(name: string, arrange = (data: Float32Array): Float32Array => data): Payload {
    return {
      bytes: this.shape(name).reduce((product, size) => product * size, 4),
      read: async () => {
        const data = arrange(await this.#tensors.read(name));
        return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      },
    };
  }
}

/** The largest |element| of each row, in steps. */
function columnScales(data: Float32Array, k: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: data.length / k }, (_, row) => {
    let largest = 0;
    for (let i = row * k; i < (row + 1) * k; i++) largest = Math.max(largest, Math.abs(data[i]!));
    return largest / LEVELS;
  });
}

/** [rows, columns] to [columns, rows], in squares of 16 rows that stay in cache. */
function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const SQUARE = 16;
  const out = new Float32Array(data.length);
  for (let top = 0; top < rows; top += SQUARE) {
    const bottom = Math.min(rows, top + SQUARE);
    for (let c = 0; c < columns; c++) for (let r = top; r < bottom; r++) out[c * rows + r] = data[r * columns + c]!;
  }
  return out;
}
