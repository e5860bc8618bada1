import type { JanusConfig } from "#dist/model/config.js";
import { parseConfig } from "#dist/model/config.js";

type Json = Record<string, unknown>;

/** Shape of the embedding that the configurations here belong to. */
export const EMBEDDING = [102400, 2048];

/** Janus-Pro-1B's config.json, with what is to be different: `undefined` removes a member. */
export function originalConfig(
  overrides: { vision?: Json | undefined; params?: Json; aligner?: Json; language?: Json; top?: Json } = {},
): Json {
  const { vision, params, aligner, language, top } = overrides;
  return {
    model_type: "multi_modality",
    vision_config: {
      cls: "CLIPVisionTower",
      params: {
        image_size: 384,
        model_name: "siglip_large_patch16_384",
        select_feature: "same",
        select_layer: -1,
        ...params,
      },
      ...vision,
    },
    aligner_config: {
      cls: "MlpProjector",
      params: { depth: 2, input_dim: 1024, n_embed: 2048, projector_type: "mlp_gelu", ...aligner },
    },
    gen_vision_config: { cls: "VQ-16" },
    language_config: { hidden_size: 2048, vocab_size: 102400, max_position_embeddings: 16384, ...language },
    ...top,
  };
}

/** The same model in transformers' layout. */
export function huggingfaceConfig(vision: Json = {}, top: Json = {}): Json {
  return {
    model_type: "janus",
    image_token_id: 100581,
    vision_config: { hidden_act: "gelu", projection_dim: 2048, num_image_tokens: 576, ...vision },
    text_config: { hidden_size: 2048, vocab_size: 102400, max_position_embeddings: 16384 },
    vq_config: {},
    ...top,
  };
}

/** preprocessor_config.json of Janus, of the original or of transformers' port. */
export function preprocessor(overrides: Json = {}): Json {
  return {
    image_size: 384,
    min_size: 14,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    rescale_factor: 0.00392156862745098,
    do_normalize: true,
    background_color: [127, 127, 127],
    ...overrides,
  };
}

export const PROCESSOR: Json = { image_tag: "<image_placeholder>", num_image_tokens: 576, add_special_token: false };

export function bytesOf(value: Json | string): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

/** Parses a configuration of the original layout, or of whatever its model_type says. */
export function parse(
  config: Json | string,
  files: {
    preprocessor?: Json | string | undefined;
    processor?: Json | string | undefined;
  } = {},
  embedding: readonly number[] = EMBEDDING,
): JanusConfig {
  const layout = typeof config === "object" && config["model_type"] === "janus" ? "huggingface" : "original";
  const given = { preprocessor: preprocessor(), processor: PROCESSOR, ...files };
  return parseConfig(
    {
      config: bytesOf(config),
      preprocessor: given.preprocessor === undefined ? undefined : bytesOf(given.preprocessor),
      processor: given.processor === undefined ? undefined : bytesOf(given.processor),
    },
    embedding,
    layout,
  );
}
