/**
 * tokenizer.json as it is handed to @huggingface/tokenizers: checked, and rewritten where that library would give other ids than the
 * `tokenizers` crate that transformers uses. What neither can be made sure of is refused, never tokenized approximately.
 */
import { JanusError, quote } from "../errors.js";
import { asArray, asObject, asString, type JsonObject, mismatch, unsupported } from "./json-object.js";
import { checkNormalizer, checkPreTokenizer } from "./pre-tokenizer.js";

/** An entry of `added_tokens`, taken out of the text before any pattern sees it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
}

/** The tokens that merges make, without those added to them. */
export interface Vocabulary {
  readonly size: number;
  idOf(token: string): number | undefined;
}

/** What tokenizer.json and its compact form both say, in the library's own form. */
export interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly normalizer: JsonObject | null;
  readonly pre_tokenizer: JsonObject | null;
  readonly added_tokens: readonly AddedToken[];
}

/** What encoding needs of tokenizer.json. */
export interface TokenizerJson extends TokenizerParts {
  readonly model: JsonObject & {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [left: string, right: string])[];
  };
}

const FILE = "tokenizer.json";

/** Ids are rows of a table and elements of an int64 tensor; the crate holds them as u32, and no table has 2^31 rows. */
const MAX_ID = 2 ** 31 - 1;

/** @throws JanusError E_CONFIG naming file and key, E_UNSUPPORTED for a component whose ids would not be the crate's. */
export function checkTokenizerJson(json: JsonObject): TokenizerJson {
  const model = checkModel(asObject(`${FILE}: model`, json["model"]));
  return { model, ...checkParts(FILE, json, vocabularyOf(model.vocab)) };
}

/** All but the model, of either form: `file` is named in errors. */
export function checkParts(file: string, json: JsonObject, vocabulary: Vocabulary): TokenizerParts {
  const added = asArray(`${file}: added_tokens`, json["added_tokens"] ?? []);
  return {
    vocabulary,
    normalizer: checkNormalizer(`${file}: normalizer`, json["normalizer"]),
    pre_tokenizer: checkPreTokenizer(`${file}: pre_tokenizer`, json["pre_tokenizer"]),
    added_tokens: checkAddedTokens(`${file}: added_tokens`, added, vocabulary),
  };
}

function vocabularyOf(vocab: Readonly<Record<string, number>>): Vocabulary {
  return {
    size: Object.keys(vocab).length,
    idOf: (token) => (Object.hasOwn(vocab, token) ? vocab[token] : undefined),
  };
}

/** The id of a token, added or of the vocabulary. */
export function idOf(parts: TokenizerParts, token: string): number | undefined {
  const added = parts.added_tokens.find(({ content }) => content === token);
  return added === undefined ? parts.vocabulary.idOf(token) : added.id;
}

/**
 * With `token` among the added ones, so that text holding it is split there: `add_special_tokens` of Janus-1.3B's processor, whose
 * tokenizer lacks the placeholder. A new one gets the id that follows the last.
 */
export function withAddedToken<Parts extends TokenizerParts>(parts: Parts, token: string): Parts {
  if (parts.added_tokens.some(({ content }) => content === token)) return parts;
  const id = idOf(parts, token) ?? nextId(parts.added_tokens, parts.vocabulary.size);
  return { ...parts, added_tokens: [...parts.added_tokens, { id, content: token, special: true, normalized: false }] };
}

/** `AddedVocabulary::add_tokens` of the crate: behind the vocabulary, then one after another. */
function nextId(added: readonly AddedToken[], vocabSize: number): number {
  return added.reduce((next, { id }) => Math.max(next, id + 1), vocabSize);
}

function checkModel(model: JsonObject): TokenizerJson["model"] {
  const type = model["type"] ?? "BPE";
  if (type !== "BPE") throw unsupported(`${FILE}: model.type`, "BPE", type);
  for (const key of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model[key]) throw unsupported(`${FILE}: model.${key}`, "absent", model[key]);
  }
  const vocab = asObject(`${FILE}: model.vocab`, model["vocab"]);
  const tokens = new Set(Object.keys(vocab));
  for (const token of tokens) {
    if (!isId(vocab[token])) throw notAnId(`${FILE}: model.vocab[${quote(token)}]`, vocab[token]);
  }
  const unknown = model["unk_token"] ?? undefined;
  if (unknown !== undefined && !tokens.has(asString(`${FILE}: model.unk_token`, unknown))) {
    throw mismatch(`${FILE}: model.unk_token`, "in the vocabulary", unknown);
  }
  const merges = asArray(`${FILE}: model.merges`, model["merges"]).map((merge, i) => checkMerge(merge, i, tokens));
  return { ...model, type: "BPE", vocab: vocab as Record<string, number>, merges };
}

/** A pair, as one string in older files; both of it and what they make are tokens. */
function checkMerge(merge: unknown, i: number, tokens: ReadonlySet<string>): [left: string, right: string] {
  const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
  const [left, right]: readonly unknown[] = Array.isArray(pair) && pair.length === 2 ? pair : [];
  if (typeof left !== "string" || typeof right !== "string") {
    throw mismatch(`${FILE}: model.merges[${i}]`, "two tokens", merge);
  }
  if (tokens.has(left) && tokens.has(right) && tokens.has(left + right)) return [left, right];
  const missing = [left, right].find((token) => !tokens.has(token)) ?? left + right;
  throw new JanusError(
    "E_CONFIG",
    `${FILE}: model.merges[${i}] needs ${quote(missing)}, which is not in the vocabulary`,
  );
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID;
}

function notAnId(what: string, value: unknown): JanusError {
  return mismatch(what, `an integer from 0 to ${MAX_ID}`, value);
}

/**
 * Two entries of one content or one id would make the ids depend on who reads the file. The crate numbers the entries itself, in order;
 * a file that says otherwise means other ids to transformers than to a reader that believes it.
 */
function checkAddedTokens(what: string, entries: readonly unknown[], vocabulary: Vocabulary): AddedToken[] {
  const added: AddedToken[] = [];
  const contents = new Set<string>();
  let next = vocabulary.size;
  entries.forEach((entry, i) => {
    const where = `${what}[${i}]`;
    const fields = asObject(where, entry);
    const content = asString(`${where}.content`, fields["content"]);
    const id = fields["id"];
    if (!isId(id)) throw notAnId(`${where}.id`, id);
    if (content === "") throw mismatch(`${where}.content`, "a token", content);
    if (contents.has(content))
      throw new JanusError("E_CONFIG", `${where}: ${quote(content)} is already an added token`);
    const inVocab = vocabulary.idOf(content);
    const expected = inVocab ?? next;
    if (id !== expected) {
      throw new JanusError(
        "E_CONFIG",
        `${where}: ${quote(content)} must have the id ${expected}, ${inVocab === undefined ? "the next free one" : "as in model.vocab"}, got ${id}`,
      );
    }
    for (const flag of ["single_word", "lstrip", "rstrip"]) {
      if (fields[flag]) throw unsupported(`${where}.${flag}`, "false", fields[flag]);
    }
    const special = fields["special"] === true;
    added.push({ id, content, special, normalized: (fields["normalized"] ?? !special) === true });
    contents.add(content);
    next = Math.max(next, id + 1);
  });
  return added;
}
