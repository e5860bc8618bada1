/**
 * A byte-level BPE tokenizer read from tokenizer.janus. It stays in the file's own tables: a tokenizer of DeepSeek's size takes the 4 MB of its file, where
 * @huggingface/tokenizers makes about 100 MB of strings and maps of it.
 */

import { COMPACT_FILE, compactLayout } from "./compact-layout.js";
import { byteTokens, compactVocabulary } from "./compact-vocabulary.js";
import { asObject, asString, type JsonObject, mismatch, parseObject } from "./json-object.js";
import { Merger } from "./merge.js";
import { mergeTable } from "./merge-table.js";
import { checkParts, type TokenizerParts } from "./tokenizer-json.js";

export interface CompactTokenizer extends TokenizerParts {
  readonly merger: Merger;
}

/** The tokenizer.json that a compact file was made of. */
export interface CompactSource {
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/**
 * Everything in the file is checked before anything is used; `bytes` is kept, not copied, if it begins at a multiple of 4.
 *
 * @throws JanusError E_FORMAT, E_INTEGRITY, E_UNSUPPORTED of its tables, E_CONFIG and E_UNSUPPORTED of its header; all name the file.
 */
export function readCompactTokenizer(bytes: Uint8Array): CompactTokenizer {
  const layout = compactLayout(bytes);
  const header = headerOf(layout.header);
  const vocabulary = compactVocabulary(layout);
  return {
    ...checkParts(COMPACT_FILE, header, vocabulary),
    merger: new Merger(mergeTable(layout), byteTokens(vocabulary)),
  };
}

/** @throws JanusError as `readCompactTokenizer`, of the header alone. */
export function compactSource(bytes: Uint8Array): CompactSource {
  const what = `${COMPACT_FILE}: source`;
  const source = asObject(what, headerOf(compactLayout(bytes).header)["source"]);
  const size = source["bytes"];
  if (!Number.isSafeInteger(size)) throw mismatch(`${what}.bytes`, "an integer", size);
  return { bytes: size as number, sha256: asString(`${what}.sha256`, source["sha256"]) };
}

function headerOf(bytes: Uint8Array): JsonObject {
  return parseObject(COMPACT_FILE, bytes);
}
