/**
 * Text to ids by the parts of @huggingface/tokenizers that a byte-level BPE needs, imported one by one: its `Tokenizer` takes all kinds of models, post-processors and decoders
 * along, half of the library, to every page. What is here joins the parts as that class does.
 */
// @ts-expect-error: the library's declarations import without extensions, and so resolve to nothing here.
import { BPE, ByteLevelPreTokenizer, ReplaceNormalizer, SplitPreTokenizer } from "@huggingface/tokenizers";
import type { CompactTokenizer } from "./compact-tokenizer.js";
import type { JsonObject } from "./json-object.js";
import type { TokenizerJson } from "./tokenizer-json.js";
import { wordSplitter } from "./word-splitter.js";

export type Encode = (text: string) => number[];

type Normalize = (text: string) => string;
type Split = (texts: readonly string[]) => readonly string[];

/** What is used of the library's models: words to tokens, and tokens to ids. */
interface BpeModel {
  (words: readonly string[]): readonly string[];
  readonly tokens_to_ids: Map<string, number>;
  readonly unk_token_id: number;
}

/** Encodes with checked parts; throws what the library does of a pattern that is none. */
export function createEncoder(parts: TokenizerJson | CompactTokenizer): Encode {
  const normalize = normalizer(parts.normalizer);
  const split = preTokenizer(parts.pre_tokenizer);
  const added = new Map<string, number>();
  const stored: string[] = [];
  const normalized: string[] = [];
  for (const { content, id, normalized: late } of parts.added_tokens) {
    const found = late ? normalize(content) : content;
    added.set(content, id).set(found, id);
    (late && parts.normalizer !== null ? normalized : stored).push(found);
  }
  const idsOf = "merger" in parts ? mergedIds(parts) : bpeIds(parts, added);
  const splitStored = wordSplitter(stored);
  const splitNormalized = wordSplitter(normalized);
  return (text) => {
    const ids: number[] = [];
    for (const section of splitStored(text)) {
      const sectionId = added.get(section);
      if (sectionId !== undefined) {
        ids.push(sectionId);
        continue;
      }
      for (const part of splitNormalized(normalize(section))) {
        const id = added.get(part);
        if (id !== undefined) ids.push(id);
        else for (const tokenId of idsOf(split([part]))) ids.push(tokenId);
      }
    }
    return ids;
  };
}

/** The normalizer that `checkNormalizer` has let through. */
function normalizer(fields: JsonObject | null): Normalize {
  if (fields === null) return (text) => text;
  const { type } = fields;
  if (type === "Sequence") {
    const steps = (fields["normalizers"] as (JsonObject | null)[]).map(normalizer);
    return (text) => steps.reduce((result, step) => step(result), text);
  }
  if (type === "Prepend") return (text) => fields["prepend"] + text;
  if (type === "Replace") {
    const replace = new ReplaceNormalizer(fields);
    return (text) => replace.normalize(text);
  }
  return (text) => text.normalize(type as string);
}

/** The pre-tokenizer that `checkPreTokenizer` has made. */
function preTokenizer(fields: JsonObject | null): Split {
  if (fields === null) return (texts) => texts;
  const { type } = fields;
  if (type === "Sequence") {
    const steps = (fields["pretokenizers"] as (JsonObject | null)[]).map(preTokenizer);
    return (texts) => steps.reduce((result, step) => step(result), texts);
  }
  const part = type === "Split" ? new SplitPreTokenizer(fields) : new ByteLevelPreTokenizer(fields);
  return (texts) => part.pre_tokenize(texts);
}

function bpeIds(
  { model, added_tokens }: TokenizerJson,
  added: ReadonlyMap<string, number>,
): (words: readonly string[]) => number[] {
  const bpe: BpeModel = new BPE(model);
  for (const { content, id } of added_tokens) bpe.tokens_to_ids.set(content, id);
  return (words) => bpe(words).map((token) => added.get(token) ?? bpe.tokens_to_ids.get(token) ?? bpe.unk_token_id);
}

/** The library has no part in merging the words of a compact tokenizer. */
function mergedIds({ merger }: CompactTokenizer): (words: readonly string[]) => number[] {
  return (words) => {
    const ids: number[] = [];
    for (const word of words) merger.encode(word, ids);
    return ids;
  };
}
