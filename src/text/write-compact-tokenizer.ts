/** Makes tokenizer.janus of a tokenizer.json. */
import { crc32 } from "../weights/crc32.js";
import { BYTE_ALPHABET } from "./byte-alphabet.js";
import {
  CHECKED_FROM,
  type CompactLayout,
  type CompactSizes,
  compactBytes,
  MAGIC,
  MAX_ENTRIES,
  partsOf,
  VERSION,
} from "./compact-layout.js";
import type { CompactSource } from "./compact-tokenizer.js";
import { compareTexts } from "./compact-vocabulary.js";
import { type JsonObject, MAX_FILE_BYTES, parseObject } from "./json-object.js";
import { checkTokenizerJson, type TokenizerJson } from "./tokenizer-json.js";

/**
 * The compact form of a tokenizer.json, the same bytes on every machine; undefined for one of another kind: byte-level BPE with a token for every byte and ids
 * from 0 without a gap, as DeepSeek's.
 *
 * @throws JanusError as `checkTokenizerJson`.
 */
export function compactTokenizer(tokenizerJson: Uint8Array, sha256: string): Uint8Array | undefined {
  const json = checkTokenizerJson(parseObject("tokenizer.json", tokenizerJson));
  const texts = textsById(json);
  if (texts === undefined || !isByteLevel(json)) return undefined;
  const header = headerOf(json, { bytes: tokenizerJson.length, sha256 });
  const merges = sortedMerges(json);
  const sizes = {
    tokens: texts.length,
    merges: merges.length,
    header: header.length,
    texts: texts.reduce((sum, text) => sum + text.length, 0),
  };
  if (compactBytes(sizes) > MAX_FILE_BYTES) return undefined; // No reader would take it.
  const file = new Uint8Array(compactBytes(sizes));
  const layout = partsOf(file, sizes);
  layout.header.set(header);
  setVocabulary(layout, texts);
  setMerges(layout, merges);
  setPrefix(file, sizes);
  return file;
}

/** UTF-8 of every token, by id; undefined unless ids are 0 to V-1 and texts have UTF-8. */
function textsById({ model, vocabulary }: TokenizerJson): Uint8Array[] | undefined {
  const texts: Uint8Array[] = [];
  for (const [token, id] of Object.entries(model.vocab)) {
    if (id >= vocabulary.size || texts[id] !== undefined || /\p{Surrogate}/u.test(token)) return undefined;
    texts[id] = new TextEncoder().encode(token);
  }
  return texts.length <= MAX_ENTRIES ? texts : undefined;
}

/** Whether words come to the merges as bytes, of which every one is a token, and always as whole words. */
function isByteLevel({ model, vocabulary, pre_tokenizer }: TokenizerJson): boolean {
  const bytes = BYTE_ALPHABET.every((character) => vocabulary.idOf(character) !== undefined);
  return bytes && model["ignore_merges"] !== true && model.merges.length <= MAX_ENTRIES && writesBytes(pre_tokenizer);
}

/** Nothing that follows ByteLevel makes other characters of its own. */
function writesBytes(preTokenizer: JsonObject | null): boolean {
  if (preTokenizer === null) return false;
  const parts = preTokenizer["pretokenizers"];
  return preTokenizer["type"] === "ByteLevel" || (Array.isArray(parts) && parts.some(writesBytes));
}

/** What is not in tables, in tokenizer.json's own words, padded to whole words of 4 bytes. */
function headerOf({ normalizer, pre_tokenizer, added_tokens }: TokenizerJson, source: CompactSource): Uint8Array {
  const text = JSON.stringify({ source, normalizer, pre_tokenizer, added_tokens });
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4)).fill(0x20);
  padded.set(bytes);
  return padded;
}

interface Merge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
  rank: number;
}

/** By left, then right token. Of a pair that the file has twice the later rank counts, as in the crate; ranks have no gaps. */
function sortedMerges({ model: { vocab, merges } }: TokenizerJson): Merge[] {
  const byPair = new Map<number, Merge>();
  for (const [left, right] of merges) {
    const merge = { left: vocab[left]!, right: vocab[right]!, result: vocab[left + right]!, rank: 0 };
    const pair = merge.left * MAX_ENTRIES + merge.right;
    byPair.delete(pair); // So that it is set behind the others.
    byPair.set(pair, merge);
  }
  const kept = [...byPair.values()];
  kept.forEach((merge, rank) => {
    merge.rank = rank;
  });
  return kept.sort((a, b) => a.left - b.left || a.right - b.right);
}

function setVocabulary({ offsets, order, texts }: CompactLayout, tokens: readonly Uint8Array[]): void {
  tokens.forEach((text, id) => {
    texts.set(text, offsets[id]);
    offsets[id + 1] = offsets[id]! + text.length;
  });
  order.set([...tokens.keys()].sort((a, b) => compareTexts(tokens[a]!, tokens[b]!)));
}

function setMerges({ first, right, rank, result }: CompactLayout, merges: readonly Merge[]): void {
  merges.forEach((merge, at) => {
    right[at] = merge.right;
    rank[at] = merge.rank;
    result[at] = merge.result;
    first[merge.left + 1] = at + 1;
  });
  for (let left = 1; left < first.length; left++) first[left] = Math.max(first[left]!, first[left - 1]!);
}

function setPrefix(file: Uint8Array, { tokens, merges, header, texts }: CompactSizes): void {
  file.set(MAGIC);
  const view = new DataView(file.buffer);
  [tokens, merges, header, texts].forEach((size, i) => {
    view.setUint32(CHECKED_FROM + 4 * i, size, true);
  });
  view.setUint32(8, VERSION, true);
  view.setUint32(12, crc32(file.subarray(CHECKED_FROM)), true);
}
