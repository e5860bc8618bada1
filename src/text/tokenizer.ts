import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { JanusError, quote } from "../errors.js";
import { asObject, asString, type JsonObject, mismatch, parseObject, reason } from "./json-object.js";
import { checkTokenizerJson, idOf, type TokenizerJson, withAddedToken } from "./tokenizer-json.js";

/** A checkpoint's tokenizer files. Their `chat_template` is never looked at, let alone rendered. */
export interface TokenizerFiles {
  tokenizerJson: Uint8Array;
  tokenizerConfig?: Uint8Array | undefined;
  specialTokensMap?: Uint8Array | undefined;
}

export interface TokenizerOptions {
  /** `image_tag` of processor_config.json; else `image_token` of tokenizer_config.json, else `<image_placeholder>`. */
  imageTag?: string | undefined;
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
const DEFAULT_BOS = "<｜begin▁of▁sentence｜>";
const DEFAULT_EOS = "<｜end▁of▁sentence｜>";
/** `VLChatProcessor.pad_id` looks this up whatever `pad_token` is. */
const JANUS_PAD = "<｜▁pad▁｜>";

/**
 * The tokenizer of a Janus checkpoint, giving the ids that transformers' LlamaTokenizerFast gives: BOS once in front by `add_bos_token`
 * (absent means true), EOS behind by `add_eos_token`, and nothing by the post-processor of tokenizer.json. A placeholder that the
 * tokenizer lacks is appended to it.
 *
 * A hostile expression in tokenizer.json can keep `encode` busy for ever: run it where it can be stopped.
 *
 * @throws JanusError E_CONFIG naming file and key, E_UNSUPPORTED for a tokenizer of a kind whose ids would not be exact.
 */
export function createTokenizer(files: TokenizerFiles, options: TokenizerOptions): Tokenizer {
  const config = files.tokenizerConfig === undefined ? {} : parseObject(CONFIG, files.tokenizerConfig);
  const map =
    files.specialTokensMap === undefined ? {} : parseObject("special_tokens_map.json", files.specialTokensMap);
  const named = (key: string): string | undefined =>
    tokenText(config, key) ?? tokenText(map, key, "special_tokens_map.json");
  const extra = config["extra_special_tokens"] ?? {};
  // A list in newer files, of tokens without a role.
  const roles = Array.isArray(extra) ? {} : asObject(`${CONFIG}: extra_special_tokens`, extra);
  const imageRole = (key: string): string | undefined => tokenText(config, key) ?? tokenText(roles, key);

  const imageTag = options.imageTag ?? imageRole("image_token") ?? "<image_placeholder>";
  if (imageTag === "") throw mismatch("processor_config.json: image_tag", "a token", imageTag);
  const json = withAddedToken(checkTokenizerJson(parseObject("tokenizer.json", files.tokenizerJson)), imageTag);

  const required = (token: string, use: string): number => {
    const id = idOf(json, token);
    if (id === undefined)
      throw new JanusError("E_CONFIG", `tokenizer.json: expected a token ${quote(token)}, ${use}, got none`);
    return inTable(id, token, options.vocabRows);
  };
  const optional = (token: string): number | undefined => {
    const id = idOf(json, token);
    return id === undefined ? undefined : inTable(id, token, options.vocabRows);
  };
  const bosText = named("bos_token") ?? DEFAULT_BOS;
  const eosText = named("eos_token") ?? DEFAULT_EOS;
  const addBos = flag(config, "add_bos_token", true);
  const addEos = flag(config, "add_eos_token", false);
  const bos = addBos ? required(bosText, "which begins every sequence (add_bos_token)") : optional(bosText);
  const eos = addEos ? required(eosText, "which ends every sequence (add_eos_token)") : optional(eosText);
  const padText = named("pad_token");
  const pad =
    optional(JANUS_PAD) ??
    (padText === undefined ? undefined : optional(padText)) ??
    eos ??
    required(JANUS_PAD, "which pads the shorter rows of a batch");
  const special: SpecialTokens = {
    bos,
    eos,
    pad,
    placeholder: required(imageTag, "which stands for an image"),
    boi: required(imageRole("boi_token") ?? "<begin_of_image>", "which begins every image"),
    eoi: required(imageRole("eoi_token") ?? "<end_of_image>", "which ends every image"),
    proRoles: idOf(json, "<|User|>") !== undefined && idOf(json, "<|Assistant|>") !== undefined,
    imageTag,
  };

  const tokenizer = construct(json);
  const before = addBos && bos !== undefined ? [bos] : [];
  const after = addEos && eos !== undefined ? [eos] : [];
  return {
    special,
    encode(text) {
      try {
        return before.concat(tokenizer.encode(text, { add_special_tokens: false }).ids, after);
      } catch (cause) {
        throw new JanusError(
          "E_CONFIG",
          `tokenizer.json: a pattern failed on a text of ${text.length} characters: ${reason(cause)}; use the file the model was published with`,
          { cause },
        );
      }
    },
  };
}

/** Post-processor and decoder are left out, and tokenizer_config.json with its switches: BOS is ours to add, nothing is decoded. */
function construct(json: TokenizerJson): HuggingFaceTokenizer {
  try {
    return new HuggingFaceTokenizer({ ...json, post_processor: null, decoder: null }, {});
  } catch (cause) {
    throw new JanusError("E_CONFIG", `tokenizer.json: expected a tokenizer, got ${reason(cause)}`, { cause });
  }
}

/** A token by its role: a string, or the object that transformers writes for an AddedToken. */
function tokenText(fields: JsonObject, key: string, file = CONFIG): string | undefined {
  const value = fields[key] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  return asString(`${file}: ${key}.content`, asObject(`${file}: ${key}`, value)["content"]);
}

function flag(config: JsonObject, key: string, absent: boolean): boolean {
  const value = config[key] === undefined ? absent : config[key];
  if (typeof value !== "boolean") throw mismatch(`${CONFIG}: ${key}`, "true or false", value);
  return value;
}

function inTable(id: number, token: string, vocabRows: number): number {
  if (id < vocabRows) return id;
  throw new JanusError(
    "E_CONFIG",
    `tokenizer.json: ${quote(token)} has the id ${id}, but embed_tokens has ${vocabRows} rows; are both of one checkpoint?`,
  );
}
