import type { Tensor } from "#dist/tensor.js";
import { encodeTensors } from "#dist/weights/encode-tensors.js";
import type { WeightSource } from "#dist/weights/source.js";

/** Rows and width of the token table of the recorded fusion cases: element c of row v is 4v + c. */
export const FUSE_TABLE = { rows: 12, dim: 4 } as const;

const WIDTH = 8;
const PATCH = 4;

/** A checkpoint in memory whose token table is that of the recorded fusion cases; its tower is one block of zeros. */
export function fuseCheckpoint(): WeightSource {
  const tower = "vision_model.vision_tower.";
  const shapes: Record<string, number[]> = {
    [`${tower}patch_embed.proj.weight`]: [WIDTH, 3, PATCH, PATCH],
    [`${tower}patch_embed.proj.bias`]: [WIDTH],
    [`${tower}pos_embed`]: [1, 1, WIDTH],
    "aligner.layers.weight": [FUSE_TABLE.dim, WIDTH],
    "aligner.layers.bias": [FUSE_TABLE.dim],
    "language_model.model.embed_tokens.weight": [FUSE_TABLE.rows, FUSE_TABLE.dim],
  };
  const pair = (name: string, ...weight: number[]): void => {
    shapes[`${tower}${name}.weight`] = weight;
    shapes[`${tower}${name}.bias`] = weight.slice(0, 1);
  };
  pair("norm", WIDTH);
  pair("blocks.0.norm1", WIDTH);
  pair("blocks.0.norm2", WIDTH);
  pair("blocks.0.attn.qkv", 3 * WIDTH, WIDTH);
  pair("blocks.0.attn.proj", WIDTH, WIDTH);
  pair("blocks.0.mlp.fc1", WIDTH, WIDTH);
  pair("blocks.0.mlp.fc2", WIDTH, WIDTH);
  const tensors = Object.entries(shapes).map(([name, dims]): [string, Tensor] => {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    if (name.includes("embed_tokens")) data.set(data.map((_, i) => i));
    return [name, { type: "float32", dims, data }];
  });
  const config = {
    model_type: "multi_modality",
    vision_config: {
      cls: "CLIPVisionTower",
      params: {
        model_name: "siglip_fuse",
        image_size: PATCH,
        patch_size: PATCH,
        width: WIDTH,
        layers: 1,
        heads: 1,
        mlp_ratio: 1,
        select_feature: "same",
        select_layer: -1,
      },
    },
    aligner_config: {
      cls: "MlpProjector",
      params: { projector_type: "linear", depth: 1, input_dim: WIDTH, n_embed: FUSE_TABLE.dim },
    },
    language_config: { model_type: "llama" },
  };
  const preprocessor = {
    image_size: PATCH,
    min_size: 1,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    rescale_factor: 1 / 255,
    do_normalize: true,
    background_color: [127, 127, 127],
  };
  return memorySource({
    "config.json": Buffer.from(JSON.stringify(config)),
    "preprocessor_config.json": Buffer.from(JSON.stringify(preprocessor)),
    "model.safetensors": encodeTensors(tensors).toBytes(),
  });
}

/** Files in memory: the simplest source there is. */
export function memorySource(files: Readonly<Record<string, Uint8Array>>): WeightSource {
  return {
    label: "memory",
    size: async (path) => files[path]?.length,
    read: async (path, offset, length) => {
      const bytes = files[path]?.slice(offset, offset + length);
      if (bytes?.length !== length) throw new Error(`${path}: read beyond the end`);
      return bytes;
    },
  };
}
