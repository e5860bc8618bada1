import { quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import type { LayoutName } from "../weights/layout.js";
import { type AlignerConfig, huggingfaceAligner, originalAligner } from "./aligner-config.js";
import { Fields, misconfigured, notRunnable } from "./fields.js";
import { type PreprocessConfig, parsePreprocessor } from "./preprocessor-config.js";
import { type ProcessorConfig, parseProcessor } from "./processor-config.js";
import { huggingfaceVision, originalVision, type VisionConfig } from "./vision-config.js";

/** Everything that the model is, before a weight is read: frozen plain data, the same in every worker. */
export interface JanusConfig extends VisionConfig {
  readonly layout: LayoutName;
  /** Whether there is an image generator, too: every released Janus has one, DeepSeek-VL-1.3B and a Janus stripped of it have none. */
  readonly generates: boolean;
  readonly aligner: AlignerConfig;
  /** D, and the rows of embed_tokens: from the tensor, because Janus-Pro-7B's file does not say. */
  readonly dim: number;
  readonly vocabRows: number;
  /** The longest sequence that the language model was built for. */
  readonly maxPositions: number;
  readonly preprocess: PreprocessConfig;
  readonly processor: ProcessorConfig;
  /** What was odd but could be resolved, one sentence each. */
  readonly warnings: readonly string[];
}

/** The configuration files of a checkpoint, as bytes. */
export interface ConfigFiles {
  readonly config: Uint8Array;
  readonly preprocessor?: Uint8Array | undefined;
  readonly processor?: Uint8Array | undefined;
}

const FILE = "config.json";
/** Of every Janus; LlamaConfig's own default, 2048, is not what the checkpoints without the key were built for. */
const MAX_POSITIONS = 16_384;
/** Four times the widest and the largest public language models. */
const MAX_DIM = 65_536;
const MAX_VOCABULARY = 2 ** 20;
/** Sections of an image generator, in either layout. */
const GENERATOR = ["gen_vision_config", "gen_aligner_config", "gen_head_config", "vq_config"];
const POSITIVE = { min: 1, max: Number.MAX_SAFE_INTEGER };

/**
 * Reads the configuration and checks its files against each other and against the shape of embed_tokens.
 *
 * Throws E_CONFIG naming file and key for a contradiction or a bad value, E_UNSUPPORTED for a related model that is not run.
 */
export function parseConfig(files: ConfigFiles, embedTokensShape: readonly number[], layout: LayoutName): JanusConfig {
  const config = Fields.parse(FILE, files.config);
  checkModel(config, layout);
  const [vocabRows, dim] = checkTable(embedTokensShape);
  const warnings: string[] = [];
  const original = layout === "original";
  const vision = original ? originalVision(config, warnings) : huggingfaceVision(config, warnings);
  const aligner = original ? originalAligner(config, vision.width, dim, warnings) : huggingfaceAligner(config, dim);
  const stated = original ? undefined : config.child("vision_config")?.integer("num_image_tokens", POSITIVE);
  if (stated !== undefined && stated !== vision.tokens)
    throw misconfigured(
      FILE,
      `expected vision_config.num_image_tokens to be the ${vision.tokens} patches, got ${stated}`,
    );
  const imageTokenId = original ? undefined : config.integer("image_token_id", { min: 0, max: POSITIVE.max });
  return freeze({
    ...vision,
    layout,
    generates: GENERATOR.some((key) => config.has(key)),
    aligner,
    dim,
    vocabRows,
    maxPositions: checkLanguage(config, original ? "language_config" : "text_config", vocabRows, dim),
    preprocess: parsePreprocessor(files.preprocessor, layout, vision.imageSize, warnings),
    processor: parseProcessor(files.processor, vision.tokens, imageTokenId),
    warnings,
  });
}

/** Rows and columns of embed_tokens. */
export function checkTable(shape: readonly number[]): [vocabRows: number, dim: number] {
  const [vocabRows = 0, dim = 0] = shape;
  if (shape.length !== 2 || !(vocabRows >= 1 && vocabRows <= MAX_VOCABULARY && dim >= 1 && dim <= MAX_DIM))
    throw misconfigured(
      FILE,
      `expected embed_tokens of at most [${MAX_VOCABULARY}, ${MAX_DIM}], got ${shapeText(shape)}`,
    );
  return [vocabRows, dim];
}

/** The file must be that of the model whose tensors were found. */
export function checkModel(config: Fields, layout: LayoutName): void {
  const type = config.string("model_type");
  if (config.child("vision_und_enc_config") !== undefined)
    throw notRunnable(FILE, "expected Janus, found JanusFlow (vision_und_enc_config), which is not supported");
  const wanted = layout === "original" ? "multi_modality" : "janus";
  if (type !== wanted)
    throw misconfigured(
      FILE,
      `expected model_type ${quote(wanted)}, as the names of the tensors are those of the ${layout} layout, got ${quote(type)}`,
    );
}

/** The language model itself is not run; its numbers must still be those of the embedding. Returns the most positions. */
export function checkLanguage(config: Fields, section: string, vocabRows: number, dim: number): number {
  const language = config.child(section);
  for (const [key, expected, what] of [
    ["hidden_size", dim, "columns"],
    ["vocab_size", vocabRows, "rows"],
  ] as const) {
    const value = language?.integer(key, POSITIVE);
    if (value !== undefined && value !== expected)
      throw misconfigured(
        FILE,
        `expected ${section}.${key} to be ${expected}, the ${what} of embed_tokens, got ${value}`,
      );
  }
  return language?.integer("max_position_embeddings", POSITIVE) ?? MAX_POSITIONS;
}

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) freeze(member);
  return Object.freeze(value);
}
