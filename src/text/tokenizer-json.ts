/**
 * tokenizer.json as it is handed to @huggingface/tokenizers: checked, and rewritten where that library would give other ids than the
 * `tokenizers` crate that transformers uses. What neither can be made sure of is refused, never tokenized approximately.
 */
import { JanusError, quote } from "../errors.js";
import { asArray, asObject, asString, type JsonObject, mismatch } from "./json-object.js";

/** An entry of `added_tokens`, taken out of the text before any pattern sees it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
}

/** What encoding needs of tokenizer.json, in the library's own form. */
export interface TokenizerJson {
  readonly model: JsonObject & { readonly vocab: Readonly<Record<string, number>> };
  readonly normalizer: JsonObject | null;
  readonly pre_tokenizer: JsonObject | null;
  readonly added_tokens: readonly AddedToken[];
}

const FILE = "tokenizer.json";

/** Ids are rows of a table and elements of an int64 tensor; the crate holds them as u32, and no table has 2^31 rows. */
const MAX_ID = 2 ** 31 - 1;

/** Sequences in sequences: published files have one level; the bound keeps a hostile file off the stack. */
const MAX_DEPTH = 16;

/** @throws JanusError E_CONFIG naming file and key, E_UNSUPPORTED for a component whose ids would not be the crate's. */
export function checkTokenizerJson(json: JsonObject): TokenizerJson {
  const model = checkModel(asObject(`${FILE}: model`, json["model"]));
  return {
    model,
    normalizer: checkNormalizer(json["normalizer"]),
    pre_tokenizer: checkPreTokenizer(json["pre_tokenizer"]),
    added_tokens: checkAddedTokens(asArray(`${FILE}: added_tokens`, json["added_tokens"] ?? []), model.vocab),
  };
}

/** The id of a token, added or of the vocabulary. */
export function idOf(json: TokenizerJson, token: string): number | undefined {
  const added = json.added_tokens.find(({ content }) => content === token);
  if (added !== undefined) return added.id;
  return Object.hasOwn(json.model.vocab, token) ? json.model.vocab[token] : undefined;
}

/**
 * With `token` among the added ones, so that text holding it is split there: `add_special_tokens` of Janus-1.3B's processor, whose
 * tokenizer lacks the placeholder. A new one gets the id that follows the last.
 */
export function withAddedToken(json: TokenizerJson, token: string): TokenizerJson {
  if (json.added_tokens.some(({ content }) => content === token)) return json;
  const id = idOf(json, token) ?? nextId(json.added_tokens, Object.keys(json.model.vocab).length);
  return { ...json, added_tokens: [...json.added_tokens, { id, content: token, special: true, normalized: false }] };
}

/** `AddedVocabulary::add_tokens` of the crate: behind the vocabulary, then one after another. */
function nextId(added: readonly AddedToken[], vocabSize: number): number {
  return added.reduce((next, { id }) => Math.max(next, id + 1), vocabSize);
}

function checkModel(model: JsonObject): TokenizerJson["model"] {
  const type = model["type"] ?? "BPE";
  if (type !== "BPE") throw unsupported(`model of type ${quote(type)}`, "BPE");
  for (const key of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model[key]) throw unsupported(`model.${key} ${quote(model[key])}`, "none");
  }
  const vocab = asObject(`${FILE}: model.vocab`, model["vocab"]);
  for (const token of Object.keys(vocab)) checkId(`${FILE}: model.vocab[${quote(token)}]`, vocab[token]);
  const merges = asArray(`${FILE}: model.merges`, model["merges"]).map((merge, i) => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((part) => typeof part === "string")) {
      throw mismatch(`${FILE}: model.merges[${i}]`, "two tokens", merge);
    }
    for (const token of [...pair, pair.join("")]) {
      if (!Object.hasOwn(vocab, token)) {
        throw new JanusError(
          "E_CONFIG",
          `${FILE}: model.merges[${i}] needs ${quote(token)}, which is not in the vocabulary`,
        );
      }
    }
    return pair;
  });
  return { ...model, type: "BPE", vocab: vocab as Record<string, number>, merges };
}

function checkId(what: string, id: unknown): number {
  if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > MAX_ID) {
    throw mismatch(what, `an integer from 0 to ${MAX_ID}`, id);
  }
  return id as number;
}

/**
 * Two entries of one content or one id would make the ids depend on who reads the file. The crate numbers the entries itself, in order;
 * a file that says otherwise means other ids to transformers than to a reader that believes it.
 */
function checkAddedTokens(entries: readonly unknown[], vocab: Readonly<Record<string, number>>): AddedToken[] {
  const vocabSize = Object.keys(vocab).length;
  const added: AddedToken[] = [];
  const contents = new Set<string>();
  let next = vocabSize;
  entries.forEach((entry, i) => {
    const where = `${FILE}: added_tokens[${i}]`;
    const fields = asObject(where, entry);
    const content = asString(`${where}.content`, fields["content"]);
    const id = checkId(`${where}.id`, fields["id"]);
    if (content === "") throw mismatch(`${where}.content`, "a token", content);
    if (contents.has(content))
      throw new JanusError("E_CONFIG", `${where}: ${quote(content)} is already an added token`);
    const inVocab = Object.hasOwn(vocab, content);
    const expected = inVocab ? vocab[content] : next;
    if (id !== expected) {
      throw new JanusError(
        "E_CONFIG",
        `${where}: ${quote(content)} must have the id ${expected}, ${inVocab ? "as in model.vocab" : "the next free one"}, got ${id}`,
      );
    }
    for (const flag of ["single_word", "lstrip", "rstrip"]) {
      if (fields[flag])
        throw unsupported(`added_tokens[${i}].${flag} ${quote(fields[flag])} of ${quote(content)}`, "false");
    }
    const special = fields["special"] === true;
    added.push({ id, content, special, normalized: (fields["normalized"] ?? !special) === true });
    contents.add(content);
    next = Math.max(next, id + 1);
  });
  return added;
}

/** Kinds that need nothing but JavaScript's own string functions to agree with the crate. */
const NORMALIZERS = ["NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace"];

function checkNormalizer(value: unknown, depth = 0): JsonObject | null {
  if (value === null || value === undefined) return null;
  const normalizer = asObject(`${FILE}: normalizer`, value);
  const type = normalizer["type"];
  if (type === "Sequence") {
    const parts = members(normalizer, "normalizers", depth);
    return { type, normalizers: parts.map((part) => checkNormalizer(part, depth + 1)) };
  }
  if (typeof type !== "string" || !NORMALIZERS.includes(type)) {
    throw unsupported(`normalizer of type ${quote(type)}`, ["Sequence", ...NORMALIZERS].join(", "));
  }
  if (type === "Prepend") asString(`${FILE}: normalizer.prepend`, normalizer["prepend"]);
  if (type === "Replace") {
    asString(`${FILE}: normalizer.content`, normalizer["content"]);
    return { ...normalizer, pattern: checkPattern(`${FILE}: normalizer.pattern`, normalizer["pattern"]) };
  }
  return normalizer;
}

function checkPreTokenizer(value: unknown, depth = 0): JsonObject | null {
  if (value === null || value === undefined) return null;
  const preTokenizer = asObject(`${FILE}: pre_tokenizer`, value);
  const type = preTokenizer["type"];
  switch (type) {
    case "Sequence": {
      const parts = members(preTokenizer, "pretokenizers", depth);
      return { type, pretokenizers: parts.map((part) => checkPreTokenizer(part, depth + 1)) };
    }
    case "Split":
      // The library knows no other behaviour and treats the rest as Isolated; there, `invert` changes nothing.
      if (preTokenizer["behavior"] !== "Isolated") {
        throw unsupported(`pre_tokenizer Split with behavior ${quote(preTokenizer["behavior"])}`, "Isolated");
      }
      return isolated(checkPattern(`${FILE}: pre_tokenizer.pattern`, preTokenizer["pattern"]));
    case "Digits":
      // The library splits at \d; the crate at char::is_numeric, which is \p{N}: ², ½ and Ⅷ too.
      return isolated({ Regex: preTokenizer["individual_digits"] === true ? "\\p{N}" : "\\p{N}+" });
    case "ByteLevel":
      return checkByteLevel(preTokenizer);
    default:
      throw unsupported(`pre_tokenizer of type ${quote(type)}`, "Sequence, Split, Digits, ByteLevel");
  }
}

/** GPT-2's expression. Inside the library's own it has JavaScript's \s, with U+FEFF and without U+0085; in a Split it is translated. */
const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function checkByteLevel(preTokenizer: JsonObject): JsonObject {
  const prefix = preTokenizer["add_prefix_space"] ?? true;
  const bytes = { type: "ByteLevel", add_prefix_space: prefix, use_regex: false };
  if (preTokenizer["use_regex"] === false) return bytes;
  if (prefix !== false)
    throw unsupported("pre_tokenizer ByteLevel with both use_regex and add_prefix_space", "one of them");
  return { type: "Sequence", pretokenizers: [isolated({ Regex: GPT2_PATTERN }), bytes] };
}

function isolated(pattern: JsonObject): JsonObject {
  return { type: "Split", pattern, behavior: "Isolated", invert: false };
}

function checkPattern(what: string, value: unknown): JsonObject {
  const pattern = asObject(what, value);
  const key = pattern["Regex"] === undefined ? "String" : "Regex";
  return { [key]: asString(`${what}.${key}`, pattern[key]) };
}

function members(sequence: JsonObject, key: string, depth: number): readonly unknown[] {
  if (depth === MAX_DEPTH) throw new JanusError("E_CONFIG", `${FILE}: more than ${MAX_DEPTH} sequences in one another`);
  return asArray(`${FILE}: ${key}`, sequence[key]);
}

function unsupported(got: string, expected: string): JanusError {
  return new JanusError(
    "E_UNSUPPORTED",
    `${FILE}: expected ${expected}, got ${got}; encode with transformers and give input_ids instead`,
    { origin: "model" },
  );
}
