import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { STORAGE } from "#dist/wasm/abi.js";
import { encodeSafetensorsHeader } from "#dist/weights/safetensors.js";
import { golden } from "./paths.js";
import { plainTorch } from "./plain-torch.js";
import { plainSafetensors } from "./safetensors-bytes.js";
import { stored } from "./stored.js";
import type { TINY } from "./tiny-checkpoints.js";
import { dictPickle, tensorPickle, torchBytes } from "./torch-bytes.js";

/** A tensor as a file holds it, dense. */
export interface Plain {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const KIND = { F32: STORAGE.f32, F16: STORAGE.f16, BF16: STORAGE.bf16 } as const;

/**
 * Copies a recorded tiny checkpoint into `folder`. Of its language model it holds the ends alone; the copy has the rest of its one layer, of random numbers, in a
 * shard of its own. In a .bin the largest of them is a transposed view, as PyTorch may save one.
 */
export function completedCheckpoint(name: (typeof TINY)[number], folder: string): string {
  cpSync(golden(`checkpoints/${name}`), folder, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const language = config.text_config ?? config.language_config;
  // Without it 32, which does not divide so small a width; all else may be left to LlamaConfig's defaults.
  language.num_attention_heads ??= 1;
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const torch = readdirSync(folder).some((file) => file.endsWith(".bin"));
  // A single file would be found before an index; under another name it is one of its shards.
  for (const single of ["model.safetensors", "pytorch_model.bin"])
    if (existsSync(join(folder, single))) renameSync(join(folder, single), join(folder, single.replace(".", "-1.")));
  const files = weightFiles(folder);
  const before = new Map(
    files.flatMap((file) => [...readWeights(join(folder, file))].map(([n, t]) => [n, { ...t, file }])),
  );
  const prefix = config.text_config ? "model.language_model." : "language_model.model.";
  const table = before.get(`${prefix}embed_tokens.weight`)!;
  const dim = table.shape[1]!;
  const width = language.intermediate_size ?? 11_008;
  const shapes: Record<string, readonly number[]> = { "post_attention_layernorm.weight": [dim] };
  for (const part of ["q", "k", "v", "o"]) shapes[`self_attn.${part}_proj.weight`] = [dim, dim];
  for (const part of ["gate", "up"]) shapes[`mlp.${part}_proj.weight`] = [width, dim];
  shapes["mlp.down_proj.weight"] = [dim, width];
  const kind = table.dtype as keyof typeof KIND;
  const added = Object.entries(shapes).map(([part, shape], seed) => {
    const { bits } = stored(
      shape.reduce((a, b) => a * b, 1),
      seed + 1,
      KIND[kind],
    );
    return { name: `${prefix}layers.0.${part}`, shape, data: new Uint8Array(bits.buffer) };
  });
  const shard = torch ? "pytorch_model-language.bin" : "model-language.safetensors";
  writeFileSync(join(folder, shard), torch ? torchShard(added) : safetensorsShard(added, kind));
  const homes = [...[...before].map(([n, { file }]) => [n, file]), ...added.map((tensor) => [tensor.name, shard])];
  const index = { metadata: {}, weight_map: Object.fromEntries(homes) };
  writeFileSync(
    join(folder, torch ? "pytorch_model.bin.index.json" : "model.safetensors.index.json"),
    JSON.stringify(index),
  );
  return folder;
}

function weightFiles(folder: string): string[] {
  return readdirSync(folder).filter((file) => /\.(?:bin|safetensors)$/.test(file));
}

/** Every tensor of a weight file, by readers that are not under test. */
export function readWeights(path: string): Map<string, Plain> {
  const bytes = new Uint8Array(readFileSync(path));
  if (!path.endsWith(".bin")) return plainSafetensors(bytes);
  return new Map([...plainTorch(bytes)].map(([name, { shape, data }]) => [name, { dtype: "BF16", shape, data }]));
}

function safetensorsShard(tensors: readonly (Omit<Plain, "dtype"> & { name: string })[], dtype: string): Uint8Array {
  const header = encodeSafetensorsHeader(tensors.map(({ name, shape }) => ({ name, dtype, shape })));
  return Buffer.concat([header, ...tensors.map(({ data }) => data)]);
}

function torchShard(tensors: readonly (Omit<Plain, "dtype"> & { name: string })[]): Uint8Array {
  const type = "BFloat16Storage";
  const pickles: Record<string, Uint8Array> = {};
  const storages: Record<string, Uint8Array> = {};
  for (const [n, { name, shape, data }] of tensors.entries()) {
    const [rows = 1, columns = 1] = shape;
    const turned = name.endsWith("down_proj.weight");
    const strides = turned ? [1, rows] : shape.length === 1 ? [1] : [columns, 1];
    pickles[name] = tensorPickle({ storage: String(n), type, shape, strides });
    storages[String(n)] = turned ? transposed(data, rows, columns) : data;
  }
  return torchBytes(dictPickle(pickles), storages);
}

function transposed(data: Uint8Array, rows: number, columns: number): Uint8Array {
  const from = new Uint16Array(data.slice().buffer);
  const to = new Uint16Array(from.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) to[column * rows + row] = from[row * columns + column]!;
  return new Uint8Array(to.buffer);
}

/** The language model of a checkpoint directory under the names of LlamaForCausalLM. */
export function languageModelOf(folder: string): Map<string, Plain> {
  const found = new Map<string, Plain>();
  for (const file of weightFiles(folder)) {
    for (const [name, tensor] of readWeights(join(folder, file))) {
      const part = /^(?:model\.language_model\.|language_model\.model\.)(.*)$/.exec(name)?.[1];
      if (part) found.set(`model.${part}`, tensor);
      else if (name.endsWith("lm_head.weight")) found.set("lm_head.weight", tensor);
    }
  }
  return found;
}
