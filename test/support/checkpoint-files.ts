/** Checkpoints as files in memory: recorded ones, changed where a test wants it, and small made-up ones. */
import { readdirSync, readFileSync } from "node:fs";
import type { Tensor } from "#dist/tensor.js";
import { encodeTensors } from "#dist/weights/encode-tensors.js";
import type { Tower } from "./model-config.js";
import { random } from "./numbers.js";
import { golden } from "./paths.js";

export type Files = Record<string, Uint8Array<ArrayBuffer>>;

/** Every file of a recorded checkpoint. */
export function recordedFiles(name: string): Files {
  const folder = golden(`checkpoints/${name}`);
  return Object.fromEntries(
    readdirSync(folder).map((file) => [file, new Uint8Array(readFileSync(`${folder}/${file}`))]),
  );
}

/** The files with one element of a tensor of a safetensors file overwritten by `bits`, 2 or 4 bytes by the tensor's dtype. */
export function withElement(files: Files, tensor: string, element: number, bits: number): Files {
  for (const [path, bytes] of Object.entries(files)) {
    if (!path.endsWith(".safetensors")) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const data = 8 + Number(view.getBigUint64(0, true));
    const entry = JSON.parse(new TextDecoder().decode(bytes.subarray(8, data)))[tensor];
    if (entry === undefined) continue;
    const changed = bytes.slice();
    const width = entry.dtype === "F32" ? 4 : 2;
    const at = data + entry.data_offsets[0] + element * width;
    if (at + width > data + entry.data_offsets[1]) throw new Error(`${tensor} has no element ${element}`);
    if (width === 4) new DataView(changed.buffer).setUint32(at, bits, true);
    else new DataView(changed.buffer).setUint16(at, bits, true);
    return { ...files, [path]: changed };
  }
  throw new Error(`no file holds ${tensor}`);
}

/** The files with a change to one of their JSON documents. */
export function withJson(files: Files, path: string, change: (document: Record<string, unknown>) => void): Files {
  const document = JSON.parse(new TextDecoder().decode(files[path]));
  change(document);
  return { ...files, [path]: new TextEncoder().encode(JSON.stringify(document)) };
}

export function withoutFile(files: Files, path: string): Files {
  return Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));
}

/** A checkpoint of random f32 weights in the original's layout, without a tokenizer. */
export function towerFiles(tower: Tower, vocabRows: number): Files {
  const { width, patchSize, imageSize, mlpWidth, dim, blocks, depth } = tower;
  const prefix = "vision_model.vision_tower.";
  const shapes: [string, number[]][] = [];
  const pair = (name: string, ...shape: number[]): void => {
    shapes.push([`${name}.weight`, shape], [`${name}.bias`, shape.slice(0, 1)]);
  };
  pair(`${prefix}patch_embed.proj`, width, 3, patchSize, patchSize);
  shapes.push([`${prefix}pos_embed`, [1, (imageSize / patchSize) ** 2, width]]);
  for (let n = 0; n < blocks; n++) {
    pair(`${prefix}blocks.${n}.norm1`, width);
    pair(`${prefix}blocks.${n}.norm2`, width);
    pair(`${prefix}blocks.${n}.attn.qkv`, 3 * width, width);
    pair(`${prefix}blocks.${n}.attn.proj`, width, width);
    pair(`${prefix}blocks.${n}.mlp.fc1`, mlpWidth, width);
    pair(`${prefix}blocks.${n}.mlp.fc2`, width, mlpWidth);
  }
  pair(`${prefix}norm`, width);
  if (depth === 1) pair("aligner.layers", dim, width);
  else for (let n = 0; n < depth; n++) pair(`aligner.layers.${2 * n}`, dim, n === 0 ? width : dim);
  shapes.push(["language_model.model.embed_tokens.weight", [vocabRows, dim]]);
  const tensors = shapes.map(([name, dims], at): [string, Tensor] => {
    const count = dims.reduce((a, b) => a * b, 1);
    return [name, { type: "float32", dims, data: random(count, at, 1 / Math.sqrt(width)) }];
  });
  const config = {
    model_type: "multi_modality",
    vision_config: {
      cls: "CLIPVisionTower",
      params: {
        model_name: "siglip_test",
        image_size: imageSize,
        patch_size: patchSize,
        width,
        layers: blocks,
        heads: tower.heads,
        mlp_ratio: mlpWidth / width,
        select_feature: "same",
        select_layer: -1,
      },
    },
    aligner_config: {
      cls: "MlpProjector",
      params: {
        projector_type: depth === 0 ? "identity" : depth === 1 ? "linear" : "mlp_gelu",
        depth,
        input_dim: width,
        n_embed: dim,
      },
    },
    language_config: { model_type: "llama", max_position_embeddings: 16_384 },
  };
  const text = new TextEncoder();
  return {
    "config.json": text.encode(JSON.stringify(config)),
    "preprocessor_config.json": text.encode(
      JSON.stringify({
        image_size: imageSize,
        min_size: 1,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
        rescale_factor: 1 / 255,
        do_normalize: true,
        background_color: [127, 127, 127],
      }),
    ),
    "model.safetensors": encodeTensors(tensors).toBytes(),
  };
}
