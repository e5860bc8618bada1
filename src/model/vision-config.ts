import { quote } from "../errors.js";
import { type Fields, misconfigured, notRunnable, type Range } from "./fields.js";

/** The vision transformer as both layouts describe it. */
export interface VisionConfig {
  /** Pixels along a side of the square input, and of a patch. */
  readonly imageSize: number;
  readonly patchSize: number;
  /** Patches along a side, and altogether: P. */
  readonly grid: number;
  readonly tokens: number;
  readonly width: number;
  /** Blocks that run: `select_layer` leaves out the last ones, the final norm follows all the same. */
  readonly blocks: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly mlpWidth: number;
  readonly layerNormEps: number;
}

/** A tower of the original's registry (janus/models/siglip_vit.py, SigLIP_MODEL_CONFIG). */
interface Tower {
  readonly patch_size: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlp_ratio: number;
}

const SIGLIP_LARGE: Tower = { patch_size: 16, width: 1024, layers: 24, heads: 16, mlp_ratio: 4 };
const SIGLIP_SO400M: Tower = { patch_size: 14, width: 1152, layers: 27, heads: 16, mlp_ratio: 3.7362 };
const REGISTRY: ReadonlyMap<string, Tower> = new Map([
  ["siglip_large_patch16_384", SIGLIP_LARGE],
  ["siglip_so400m_patch14_384", SIGLIP_SO400M],
  ["siglip_so400m_patch14_224", SIGLIP_SO400M],
]);

/** Largest square decoded at once; at patch 16 already 65,536 tokens, whose attention no host could hold. */
const IMAGE_SIZE: Range = { min: 1, max: 4096 };
const PATCH_SIZE: Range = { min: 1, max: 256 };
/** The deepest public vision transformer has 48. */
const LAYERS: Range = { min: 1, max: 1000 };
/** Sixteen times the widest public tower; width times MLP width stays a safe integer with room. */
const WIDTH: Range = { min: 1, max: 65_536 };
const MLP_RATIO: Range = { min: 0, max: 64 };
const EPSILON: Range = { min: 0, max: 1 };

/** The original's constructor ignores its epsilon and uses this one (siglip_vit.py, `partial(nn.LayerNorm, eps=1e-6)`). */
const ORIGINAL_EPSILON = 1e-6;

/**
 * `vision_config` of the original: a class, and the arguments of its constructor in `params`. The keys of a registry entry may stand
 * there too and override it (an extension of the format, for towers that the registry lacks).
 */
export function originalVision(config: Fields, warnings: string[]): VisionConfig {
  const { file } = config;
  const section = config.child("vision_config");
  const cls = section?.string("cls");
  if (cls?.includes("HybridVisionTower"))
    throw notRunnable(
      file,
      "expected a SigLIP tower, found the hybrid tower of DeepSeek-VL-7B, which is not supported",
    );
  if (cls !== undefined && !cls.includes("CLIPVisionTower"))
    throw notRunnable(file, `expected vision_config.cls "CLIPVisionTower", found ${quote(cls)}`);
  if (cls === undefined) warnings.push(`${file}: vision_config.cls is missing; CLIPVisionTower is used`);
  const params = section?.child("params");
  if (section === undefined || params === undefined) {
    warnings.push(`${file}: vision_config.params is missing; SigLIP-L with 384 pixels is used`);
    return vision(file, "vision_config.params", 384, SIGLIP_LARGE, SIGLIP_LARGE.layers, ORIGINAL_EPSILON);
  }
  if (params.has("pixel_mean") && params.has("pixel_std"))
    throw notRunnable(file, `expected a tower that takes normalised pixels, found ${params.key("pixel_mean")}`);
  const feature = params.string("select_feature");
  if (feature !== undefined && feature !== "same")
    warnings.push(`${file}: ${params.key("select_feature")} ${quote(feature)} has no effect on a SigLIP tower`);
  const tower = towerOf(params);
  const select = params.integer("select_layer", { min: -LAYERS.max, max: LAYERS.max });
  const size = params.integer("image_size", IMAGE_SIZE);
  // Not what ships, but what the original's constructor does without them.
  if (select === undefined)
    warnings.push(`${file}: ${params.key("select_layer")} is missing; the original's default -2 is used`);
  if (size === undefined)
    warnings.push(`${file}: ${params.key("image_size")} is missing; the original's default 336 is used`);
  const blocks = selectedBlocks(tower.layers, select ?? -2);
  if (blocks < 1) throw params.wrong("select_layer", `one that leaves a block of ${tower.layers}`);
  return vision(file, params.key("image_size"), size ?? 336, tower, blocks, ORIGINAL_EPSILON);
}

/** siglip_vit.py, create_siglip_vit: a negative index counts from the end, a positive one is the number of blocks. */
function selectedBlocks(layers: number, select: number): number {
  return select <= 0 ? Math.min(layers, layers + select + 1) : Math.min(layers, select);
}

function towerOf(params: Fields): Tower {
  const name = params.string("model_name") ?? "siglip_large_patch16_384";
  if (!name.startsWith("siglip"))
    throw notRunnable(params.file, `expected ${params.key("model_name")} to begin with "siglip", found ${quote(name)}`);
  const registered = REGISTRY.get(name);
  const field = (key: keyof Tower, stated: number | undefined): number => {
    const value = stated ?? registered?.[key];
    if (value === undefined)
      throw misconfigured(
        params.file,
        `expected ${params.key("model_name")} to be one of ${[...REGISTRY.keys()].join(", ")}, or ${params.key(key)} beside it, got ${quote(name)} alone`,
      );
    return value;
  };
  return {
    patch_size: field("patch_size", params.integer("patch_size", PATCH_SIZE)),
    width: field("width", params.integer("width", WIDTH)),
    layers: field("layers", params.integer("layers", LAYERS)),
    heads: field("heads", params.integer("heads", WIDTH)),
    mlp_ratio: field("mlp_ratio", params.number("mlp_ratio", MLP_RATIO)),
  };
}

/** `vision_config` of transformers' port (configuration_janus.py, JanusVisionConfig) with its defaults, which are those of SigLIP-L. */
export function huggingfaceVision(config: Fields, warnings: string[]): VisionConfig {
  const { file } = config;
  const section = config.child("vision_config");
  if (section === undefined) warnings.push(`${file}: vision_config is missing; SigLIP-L with 384 pixels is used`);
  const expected: readonly (readonly [string, unknown, unknown])[] = [
    ["hidden_act", "gelu", section?.string("hidden_act")],
    ["attention_bias", true, section?.boolean("attention_bias")],
    ["use_qk_norm", false, section?.boolean("use_qk_norm")],
    ["num_channels", 3, section?.integer("num_channels", { min: 1, max: 1024 })],
  ];
  for (const [key, value, found] of expected)
    if (found !== undefined && found !== value)
      throw notRunnable(file, `expected vision_config.${key} ${quote(value)}, found ${quote(found)}`);
  const tower: Tower = {
    patch_size: section?.integer("patch_size", PATCH_SIZE) ?? SIGLIP_LARGE.patch_size,
    width: section?.integer("hidden_size", WIDTH) ?? SIGLIP_LARGE.width,
    layers: section?.integer("num_hidden_layers", LAYERS) ?? SIGLIP_LARGE.layers,
    heads: section?.integer("num_attention_heads", WIDTH) ?? SIGLIP_LARGE.heads,
    mlp_ratio: section?.number("mlp_ratio", MLP_RATIO) ?? SIGLIP_LARGE.mlp_ratio,
  };
  const size = section?.integer("image_size", IMAGE_SIZE) ?? 384;
  const epsilon = section?.number("layer_norm_eps", EPSILON) ?? 1e-6;
  return vision(file, "vision_config.image_size", size, tower, tower.layers, epsilon);
}

function vision(
  file: string,
  sizeKey: string,
  imageSize: number,
  tower: Tower,
  blocks: number,
  layerNormEps: number,
): VisionConfig {
  const { patch_size: patchSize, width, heads } = tower;
  if (imageSize % patchSize !== 0)
    throw misconfigured(file, `expected ${sizeKey} to be a multiple of the patch size ${patchSize}, got ${imageSize}`);
  if (width % heads !== 0)
    throw misconfigured(
      file,
      `expected the width of the vision tower to be a multiple of its ${heads} heads, got ${width}`,
    );
  const mlpWidth = Math.trunc(width * tower.mlp_ratio);
  if (mlpWidth < 1)
    throw misconfigured(file, `expected an mlp_ratio that leaves a column of ${width}, got ${tower.mlp_ratio}`);
  const grid = imageSize / patchSize;
  return {
    imageSize,
    patchSize,
    grid,
    tokens: grid * grid,
    width,
    blocks,
    heads,
    headWidth: width / heads,
    mlpWidth,
    layerNormEps,
  };
}
