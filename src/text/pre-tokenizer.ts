/**
 * What tokenizer.json does to a text before the vocabulary: `normalizer` and `pre_tokenizer`, rewritten into those parts of
 * @huggingface/tokenizers that do as the `tokenizers` crate does. Patterns are Split patterns only, which the library translates from
 * the crate's dialect (there `\s` is White_Space: with U+0085, without U+FEFF).
 */
import { JanusError } from "../errors.js";
import { asArray, asObject, asString, type JsonObject, unsupported } from "./json-object.js";

/** Sequences in sequences: published files have one level; the bound keeps a hostile file off the stack. */
const MAX_DEPTH = 16;

/** Kinds that need nothing but JavaScript's own string functions to agree with the crate. */
const NORMALIZERS = ["NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace"];

/** @throws JanusError E_CONFIG, E_UNSUPPORTED; `what` names file and key. */
export function checkNormalizer(what: string, value: unknown, depth = 0): JsonObject | null {
  if (value === null || value === undefined) return null;
  const normalizer = asObject(what, value);
  const type = normalizer["type"];
  if (type === "Sequence") {
    const parts = members(`${what}.normalizers`, normalizer["normalizers"], depth);
    return { type, normalizers: parts.map((part) => checkNormalizer(what, part, depth + 1)) };
  }
  if (typeof type !== "string" || !NORMALIZERS.includes(type)) {
    throw unsupported(`${what}.type`, `one of Sequence, ${NORMALIZERS.join(", ")}`, type);
  }
  if (type === "Prepend") asString(`${what}.prepend`, normalizer["prepend"]);
  if (type === "Replace") {
    asString(`${what}.content`, normalizer["content"]);
    return { ...normalizer, pattern: checkPattern(`${what}.pattern`, normalizer["pattern"]) };
  }
  return normalizer;
}

/** @throws JanusError E_CONFIG, E_UNSUPPORTED; `what` names file and key. */
export function checkPreTokenizer(what: string, value: unknown, depth = 0): JsonObject | null {
  if (value === null || value === undefined) return null;
  const preTokenizer = asObject(what, value);
  const type = preTokenizer["type"];
  switch (type) {
    case "Sequence": {
      const parts = members(`${what}.pretokenizers`, preTokenizer["pretokenizers"], depth);
      return { type, pretokenizers: parts.map((part) => checkPreTokenizer(what, part, depth + 1)) };
    }
    case "Split":
      // The library knows no other behavior and treats the rest as Isolated; there, `invert` changes nothing.
      if (preTokenizer["behavior"] !== "Isolated") {
        throw unsupported(`${what}.behavior`, "Isolated", preTokenizer["behavior"]);
      }
      return isolated(checkPattern(`${what}.pattern`, preTokenizer["pattern"]));
    case "Digits":
      // The library splits at \d; the crate at char::is_numeric, which is \p{N}: ², ½ and Ⅷ too.
      return isolated({ Regex: preTokenizer["individual_digits"] === true ? "\\p{N}" : "\\p{N}+" });
    case "ByteLevel":
      return checkByteLevel(what, preTokenizer);
    default:
      throw unsupported(`${what}.type`, "one of Sequence, Split, Digits, ByteLevel", type);
  }
}

/** GPT-2's expression. The library runs its own copy with JavaScript's \s; in a Split it is translated. */
const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Absent flags are true, as in the crate and unlike in the library. */
function checkByteLevel(what: string, preTokenizer: JsonObject): JsonObject {
  const prefix = (preTokenizer["add_prefix_space"] ?? true) !== false;
  const bytes = { type: "ByteLevel", add_prefix_space: prefix, use_regex: false };
  if (preTokenizer["use_regex"] === false) return bytes;
  if (prefix) throw unsupported(`${what}.add_prefix_space with use_regex`, "false", true);
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

function members(what: string, value: unknown, depth: number): readonly unknown[] {
  if (depth === MAX_DEPTH)
    throw new JanusError("E_CONFIG", `${what}: at most ${MAX_DEPTH} sequences in one another, got more`);
  return asArray(what, value);
}
