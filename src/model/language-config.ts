import type { LayoutName } from "../weights/layout.js";
import { checkLanguage, checkModel, checkTable } from "./config.js";
import { Fields, misconfigured, notRunnable } from "./fields.js";

/** The language model as transformers' LlamaConfig describes it, with every default that the file leaves to it. */
export interface LanguageConfig {
  readonly vocabRows: number;
  readonly dim: number;
  readonly mlpWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly activation: string;
  readonly maxPositions: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** Whether the file says that the head is the token table; undefined when it says nothing. */
  readonly tied: boolean | undefined;
  /** As the file has them. Few have: a tokenizer knows better. */
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly pad: number | undefined;
}

const FILE = "config.json";

/** LlamaConfig's defaults, which Janus-Pro-7B's file relies on: transformers/models/llama/configuration_llama.py. */
const DEFAULT = { mlpWidth: 11_008, layers: 32, heads: 32, activation: "silu", rmsNormEps: 1e-6, ropeTheta: 10_000 };

/** Eight times the deepest public Llama: a count that a file gives is looped over. */
const LAYERS = { min: 1, max: 1024 };
const HEADS = { min: 1, max: 65_536 };
const WIDTH = { min: 1, max: 2 ** 24 };
const ID = { min: 0, max: 2 ** 31 - 1 };

/**
 * Reads the language model's section of config.json. Its width and rows are those of the token table, because Janus-Pro-7B's file does not say.
 *
 * Throws E_CONFIG naming file and key for a contradiction or a bad value, E_UNSUPPORTED for what is no Llama with plain rotary positions.
 */
export function parseLanguageConfig(
  bytes: Uint8Array,
  embedTokensShape: readonly number[],
  layout: LayoutName,
): LanguageConfig {
  const config = Fields.parse(FILE, bytes);
  checkModel(config, layout);
  const [vocabRows, dim] = checkTable(embedTokensShape);
  const section = layout === "original" ? "language_config" : "text_config";
  const maxPositions = checkLanguage(config, section, vocabRows, dim);
  const language = config.child(section) ?? Fields.absent(FILE);
  const type = language.string("model_type") ?? "llama";
  if (type !== "llama")
    throw notRunnable(FILE, `expected ${section}.model_type to be "llama", got ${JSON.stringify(type)}`);
  const heads = language.integer("num_attention_heads", HEADS) ?? DEFAULT.heads;
  const keyValueHeads = language.integer("num_key_value_heads", HEADS) ?? heads;
  const stated = language.integer("head_dim", HEADS);
  if (stated === undefined && dim % heads !== 0)
    throw misconfigured(
      FILE,
      `expected ${section}.num_attention_heads to divide the ${dim} columns of embed_tokens, got ${heads}`,
    );
  if (heads % keyValueHeads !== 0)
    throw misconfigured(
      FILE,
      `expected ${section}.num_key_value_heads to divide the ${heads} heads, got ${keyValueHeads}`,
    );
  return {
    vocabRows,
    dim,
    mlpWidth: language.integer("intermediate_size", WIDTH) ?? DEFAULT.mlpWidth,
    layers: language.integer("num_hidden_layers", LAYERS) ?? DEFAULT.layers,
    heads,
    keyValueHeads,
    headDim: stated ?? dim / heads,
    activation: language.string("hidden_act") ?? DEFAULT.activation,
    maxPositions,
    rmsNormEps: language.number("rms_norm_eps", { min: 0, max: 1 }) ?? DEFAULT.rmsNormEps,
    ropeTheta: ropeTheta(language),
    attentionBias: language.boolean("attention_bias") ?? false,
    mlpBias: language.boolean("mlp_bias") ?? false,
    tied: tied(config, language, layout),
    bos: language.integer("bos_token_id", ID),
    eos: language.integer("eos_token_id", ID),
    pad: language.integer("pad_token_id", ID),
  };
}

/** `rope_parameters` since transformers 5, `rope_theta` and `rope_scaling` before. No Janus scales: what would is not approximated. */
function ropeTheta(language: Fields): number {
  const parameters = language.child("rope_parameters");
  for (const scaling of [parameters, language.child("rope_scaling")]) {
    for (const key of ["rope_type", "type"]) {
      const type = scaling?.string(key) ?? "default";
      if (type !== "default")
        throw notRunnable(FILE, `expected ${scaling!.key(key)} to be "default", got ${JSON.stringify(type)}`);
    }
  }
  const range = { min: 0, max: Number.MAX_VALUE };
  return parameters?.number("rope_theta", range) ?? language.number("rope_theta", range) ?? DEFAULT.ropeTheta;
}

/** JanusConfig ties by default since transformers 5 and then does not write it down; DeepSeek's own language model is untied. */
function tied(config: Fields, language: Fields, layout: LayoutName): boolean | undefined {
  if (layout === "original") return language.boolean("tie_word_embeddings") ?? false;
  return config.boolean("tie_word_embeddings") ?? language.boolean("tie_word_embeddings");
}
