import { JanusError, quote } from "../errors.js";
import { COMPACT_FILE, isCompact } from "./compact-layout.js";
import { type CompactTokenizer, readCompactTokenizer } from "./compact-tokenizer.js";
import { createEncoder, type Encode } from "./encoder.js";
import { asObject, asString, type JsonObject, mismatch, parseObject, reason } from "./json-object.js";
import { checkTokenizerJson, idOf, type TokenizerJson, type TokenizerParts, withAddedToken } from "./tokenizer-json.js";

/** A checkpoint's tokenizer files. Their `chat_template` is never looked at, let alone rendered. */
export interface TokenizerFiles {
  /** tokenizer.json, or its compact form tokenizer.janus: their first bytes tell them apart. */
  tokenizerJson: Uint8Array;
  tokenizerConfig?: Uint8Array | undefined;
  specialTokensMap?: Uint8Array | undefined;
}

export interface TokenizerOptions {
  /** `image_tag` of processor_config.json; else `image_token` of tokenizer_config.json, else `<image_placeholder>`. */
  imageTag?: string | undefined;
  /**
   * False for a checkpoint without an image generator. A tokenizer without begin- and end-of-image is then DeepSeek-VL's, whose processor
   * marks images otherwise; with a generator it is a broken Janus.
   */
  generates?: boolean | undefined;
  /** Rows of `embed_tokens`: every id of `SpecialTokens` is below it. */
  vocabRows: number;
}

/** The ids that Janus' processor looks up by string, never by number: they differ between checkpoints. */
export interface SpecialTokens {
  /** Undefined when the tokenizer has none, which only one without `add_bos_token` may. */
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly pad: number;
  readonly placeholder: number;
  readonly boi: number;
  readonly eoi: number;
  /** Whether `<|User|>` and `<|Assistant|>` are tokens, as in Janus-Pro. */
  readonly proRoles: boolean;
  /** The text of `placeholder`. */
  readonly imageTag: string;
}

export interface Tokenizer {
  /** `tokenizer.encode(text)` of LlamaTokenizerFast, BOS included. Any string has ids; lone surrogates read as U+FFFD. */
  encode(text: string): number[];
  readonly special: SpecialTokens;
}

const CONFIG = "tokenizer_config.json";
const MAP = "special_tokens_map.json";

/** `VLChatProcessor.pad_id` looks this up whatever `pad_token` is. */
const JANUS_PAD = "<｜▁pad▁｜>";

/**
 * The tokenizer of a Janus checkpoint, giving the ids that transformers' LlamaTokenizerFast gives: BOS once in front by `add_bos_token`
 * (absent means true), EOS behind by `add_eos_token`, and nothing by the post-processor of tokenizer.json. A placeholder that the
 * tokenizer lacks is appended to it.
 *
 * A hostile expression in tokenizer.json can keep `encode` busy for ever: run it where it can be stopped.
 *
 * @throws JanusError E_CONFIG naming file and key, E_UNSUPPORTED for DeepSeek-VL's and for one of a kind whose ids would not be exact.
 */
export function createTokenizer(files: TokenizerFiles, options: TokenizerOptions): Tokenizer {
  const names = tokenNames(files, options.imageTag);
  if (names.imageTag === "") throw mismatch("processor_config.json: image_tag", "a token", names.imageTag);
  const read = readTokenizer(files.tokenizerJson);
  if (options.generates === false && idOf(read, names.boi) === undefined && idOf(read, names.eoi) === undefined) {
    throw new JanusError(
      "E_UNSUPPORTED",
      "prompts of DeepSeek-VL checkpoints are not rendered; make input_ids and masks with its own processor and give those",
      { origin: "model" },
    );
  }
  const parts = withAddedToken(read, names.imageTag);
  const special = specialTokens(parts, names, options.vocabRows);
  const encode = construct(parts);
  const before = names.addBos && special.bos !== undefined ? [special.bos] : [];
  const after = names.addEos && special.eos !== undefined ? [special.eos] : [];
  return {
    special,
    encode(text) {
      try {
        return before.concat(encode(text), after);
      } catch (cause) {
        throw new JanusError(
          "E_CONFIG",
          `${fileOf(parts)}: a pattern failed on a text of ${text.length} characters: ${reason(cause)}; use the file the model was published with`,
          { cause },
        );
      }
    },
  };
}

/** The ids that begin, end and pad a sequence, where the tokenizer has them: what the configuration of a language model says of it. */
export function sequenceTokens(
  files: TokenizerFiles,
  vocabRows: number,
): Pick<SpecialTokens, "bos" | "eos"> & { readonly pad: number | undefined } {
  const names = tokenNames(files, undefined);
  const find = finder(readTokenizer(files.tokenizerJson), vocabRows);
  const eos = find(names.eos);
  return { bos: find(names.bos), eos, pad: padOf(find, names, eos) };
}

/**
 * tokenizer_config.json with the class that takes tokenizer.json as it is. The LlamaTokenizerFast that Janus' files name is made anew of vocabulary and merges by
 * transformers 5.0 to 5.23, as SentencePiece's: it splits and joins text otherwise than DeepSeek's byte-level one.
 */
export function withPlainClass(tokenizerConfig: Uint8Array): JsonObject {
  const config = parseObject(CONFIG, tokenizerConfig);
  const llama = /^LlamaTokenizer(?:Fast)?$/.test(String(config["tokenizer_class"]));
  return llama ? { ...config, tokenizer_class: "PreTrainedTokenizerFast" } : config;
}

/** Tokens by their roles, as the files name them. */
interface TokenNames {
  readonly bos: string;
  readonly eos: string;
  readonly pad: string | undefined;
  readonly imageTag: string;
  readonly boi: string;
  readonly eoi: string;
  readonly addBos: boolean;
  readonly addEos: boolean;
}

function tokenNames(files: TokenizerFiles, imageTag: string | undefined): TokenNames {
  const config = files.tokenizerConfig === undefined ? {} : parseObject(CONFIG, files.tokenizerConfig);
  const map = files.specialTokensMap === undefined ? {} : parseObject(MAP, files.specialTokensMap);
  const extra = config["extra_special_tokens"] ?? {};
  // A list in newer files, of tokens without a role.
  const roles = Array.isArray(extra) ? {} : asObject(`${CONFIG}: extra_special_tokens`, extra);
  const text = (key: string): string | undefined => tokenText(CONFIG, config, key) ?? tokenText(MAP, map, key);
  const image = (key: string): string | undefined => tokenText(CONFIG, config, key) ?? tokenText(CONFIG, roles, key);
  return {
    bos: text("bos_token") ?? "<｜begin▁of▁sentence｜>",
    eos: text("eos_token") ?? "<｜end▁of▁sentence｜>",
    pad: text("pad_token"),
    imageTag: imageTag ?? image("image_token") ?? "<image_placeholder>",
    boi: image("boi_token") ?? "<begin_of_image>",
    eoi: image("eoi_token") ?? "<end_of_image>",
    addBos: flag(config, "add_bos_token", true),
    addEos: flag(config, "add_eos_token", false),
  };
}

type Find = (token: string) => number | undefined;

/** The id of a token, undefined when there is none, E_CONFIG beyond the token table. */
function finder(parts: TokenizerParts, vocabRows: number): Find {
  return (token) => {
    const id = idOf(parts, token);
    if (id === undefined || id < vocabRows) return id;
    throw new JanusError(
      "E_CONFIG",
      `tokenizer.json: ${quote(token)} must have an id below the ${vocabRows} rows of embed_tokens, got ${id}; take both from one checkpoint`,
    );
  };
}

function padOf(find: Find, names: TokenNames, eos: number | undefined): number | undefined {
  return find(JANUS_PAD) ?? (names.pad === undefined ? undefined : find(names.pad)) ?? eos;
}

function specialTokens(parts: TokenizerParts, names: TokenNames, vocabRows: number): SpecialTokens {
  const find = finder(parts, vocabRows);
  const need = (token: string, use: string): number => {
    const id = find(token);
    if (id !== undefined) return id;
    throw new JanusError("E_CONFIG", `tokenizer.json: expected a token ${quote(token)}, ${use}, got none`);
  };
  const bos = names.addBos ? need(names.bos, "which begins every sequence (add_bos_token)") : find(names.bos);
  const eos = names.addEos ? need(names.eos, "which ends every sequence (add_eos_token)") : find(names.eos);
  return {
    bos,
    eos,
    pad: padOf(find, names, eos) ?? need(JANUS_PAD, "which pads the shorter rows of a batch"),
    placeholder: need(names.imageTag, "which stands for an image"),
    boi: need(names.boi, "which begins every image"),
    eoi: need(names.eoi, "which ends every image"),
    proRoles: idOf(parts, "<|User|>") !== undefined && idOf(parts, "<|Assistant|>") !== undefined,
    imageTag: names.imageTag,
  };
}

function fileOf(parts: TokenizerJson | CompactTokenizer): string {
  return "merger" in parts ? COMPACT_FILE : "tokenizer.json";
}

function readTokenizer(bytes: Uint8Array): TokenizerJson | CompactTokenizer {
  return isCompact(bytes) ? readCompactTokenizer(bytes) : checkTokenizerJson(parseObject("tokenizer.json", bytes));
}

/** Post-processor and decoder are left out, and tokenizer_config.json with its switches: BOS is ours to add, nothing is decoded. */
function construct(parts: TokenizerJson | CompactTokenizer): Encode {
  try {
    return createEncoder(parts);
  } catch (cause) {
    throw new JanusError("E_CONFIG", `${fileOf(parts)}: expected a tokenizer, got ${reason(cause)}`, { cause });
  }
}

/** A token by its role: a string, or the object that transformers writes for an AddedToken. */
function tokenText(file: string, fields: JsonObject, key: string): string | undefined {
  const value = fields[key] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  return asString(`${file}: ${key}.content`, asObject(`${file}: ${key}`, value)["content"]);
}

function flag(config: JsonObject, key: string, absent: boolean): boolean {
  const value = config[key] === undefined ? absent : config[key];
  if (typeof value !== "boolean") throw mismatch(`${CONFIG}: ${key}`, "true or false", value);
  return value;
}
