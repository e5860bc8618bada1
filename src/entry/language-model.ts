import { JanusError, quote } from "../errors.js";
import { type LanguageConfig, parseLanguageConfig } from "../model/language-config.js";
import { LANGUAGE_MODEL, languageTensors } from "../model/language-tensors.js";
import { sequenceTokens, type TokenizerFiles, withPlainClass } from "../text/tokenizer.js";
import { type BoundTensor, storedRowBytes } from "../weights/bound-tensor.js";
import { type Checkpoint, openCheckpoint } from "../weights/checkpoint.js";
import { readConfigFiles } from "../weights/config-files.js";
import { listed } from "../weights/refusals.js";
import type { WeightSource } from "../weights/source.js";
import { readTokenizerFiles } from "./prepare.js";

/** The language model of a checkpoint, found and understood: nothing but headers and small files read. */
export interface LanguageModel {
  readonly checkpoint: Checkpoint;
  /** Its config.json as LlamaForCausalLM's: every default spelled out. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Its tokenizer_config.json, of a checkpoint that has one and a tokenizer.json. */
  readonly tokenizerConfig: object | undefined;
  readonly tensors: readonly LanguageTensor[];
}

/** A tensor under its name in a checkpoint of LlamaForCausalLM. */
export interface LanguageTensor {
  readonly name: string;
  readonly bound: BoundTensor;
  readonly bytes: number;
}

/** Of whichever layout, with or without the head. */
const OF_LANGUAGE_MODEL = /^(?:(?:model\.)?language_model\.|lm_head\.)/;

/** Buffers of transformers before 4.32, made anew by every later one. */
const ROTARY_BUFFER = /\.rotary_emb\.inv_freq$/;

const DTYPE_NAMES: Readonly<Record<string, string>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/**
 * Opens the language model of a Janus checkpoint and checks every tensor of it against the configuration.
 *
 * @throws JanusError E_CONFIG, E_FORMAT and E_UNSUPPORTED as opening the whole model does, E_UNSUPPORTED for a packed checkpoint, E_CONFIG for a tensor of the
 * language model that the configuration does not imply; the signal's reason.
 */
export async function openLanguageModel(source: WeightSource, signal?: AbortSignal): Promise<LanguageModel> {
  const checkpoint = await openCheckpoint(source, signal);
  if (checkpoint.packed !== undefined)
    throw new JanusError(
      "E_UNSUPPORTED",
      `exporting the language model of ${quote(source.label)}: expected a checkpoint as its authors published it, found a packed one, which holds no language model; export from the original`,
      { origin: "model" },
    );
  const files = await readConfigFiles(source, signal);
  const table = checkpoint.tableShape();
  if (table === undefined) checkpoint.bind([{ role: "embed_tokens.weight", shape: [] }]);
  const config = parseLanguageConfig(files.config, table ?? [], checkpoint.layout);
  const head = hasHead(checkpoint) || config.tied === false;
  const requests = languageTensors(config, head);
  const bound = [...checkpoint.bind(requests).values()];
  refuseOthers(source, checkpoint, bound);
  const tokenizer = await readTokenizerFiles(source, false, signal);
  return {
    checkpoint,
    config: llamaConfig(config, { tied: !head, dtype: bound[0]!.dtype, ...tokensOf(tokenizer, config) }),
    tokenizerConfig: tokenizer?.tokenizerConfig && withPlainClass(tokenizer.tokenizerConfig),
    tensors: bound.map((tensor) => ({
      name: tensor.role.slice(LANGUAGE_MODEL.length),
      bound: tensor,
      bytes: (tensor.shape[0] ?? 1) * storedRowBytes(tensor),
    })),
  };
}

/** A head that is stored is the model's own, whatever the configuration says of tying: a tied one is not stored. */
function hasHead({ tensors }: Checkpoint): boolean {
  return tensors.has("lm_head.weight") || tensors.has("language_model.lm_head.weight");
}

/** A layer too many, or biases that the configuration does not know: a model without them would load, and answer otherwise. */
function refuseOthers(source: WeightSource, checkpoint: Checkpoint, bound: readonly BoundTensor[]): void {
  const known = new Set(bound.flatMap(({ names }) => names));
  const others = [...checkpoint.tensors.keys()].filter(
    (name) => OF_LANGUAGE_MODEL.test(name) && !known.has(name) && !ROTARY_BUFFER.test(name),
  );
  if (others.length > 0)
    throw new JanusError(
      "E_CONFIG",
      `binding the tensors of ${quote(source.label)}: found ${others.length} of the language model that config.json does not imply: ${listed(others)}; do config.json and the weights belong together?`,
      { origin: "model" },
    );
}

/** Ids of the sequence: the tokenizer's, as the reference takes them, else the configuration's, which may be LlamaConfig's defaults. */
function tokensOf(files: TokenizerFiles | undefined, config: LanguageConfig) {
  const tokens = files && sequenceTokens(files, config.vocabRows);
  return { bos: tokens?.bos ?? config.bos, eos: tokens?.eos ?? config.eos, pad: tokens?.pad ?? config.pad };
}

interface LlamaExtras {
  readonly tied: boolean;
  readonly dtype: string;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly pad: number | undefined;
}

/** In the keys that transformers 4 and 5, vLLM and llama.cpp's converter all read. */
function llamaConfig(config: LanguageConfig, { tied, dtype, bos, eos, pad }: LlamaExtras): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    torch_dtype: DTYPE_NAMES[dtype],
    vocab_size: config.vocabRows,
    hidden_size: config.dim,
    intermediate_size: config.mlpWidth,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headDim,
    hidden_act: config.activation,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    rope_scaling: null,
    attention_bias: config.attentionBias,
    attention_dropout: 0,
    mlp_bias: config.mlpBias,
    initializer_range: 0.02,
    use_cache: true,
    tie_word_embeddings: tied,
    bos_token_id: bos ?? null,
    eos_token_id: eos ?? null,
    pad_token_id: pad ?? null,
  };
}
