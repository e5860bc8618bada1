import { readFileSync } from "node:fs";
import type { TokenizerFiles } from "#dist/text/tokenizer.js";
import { golden } from "./paths.js";

/** What tests change in a recorded tokenizer.json. */
export interface TokenizerDocument {
  model: { [key: string]: unknown; type: string; vocab: Record<string, unknown>; merges: unknown[] };
  added_tokens: { [key: string]: unknown; id: number; content: string }[];
  pre_tokenizer: { pretokenizers: { [key: string]: unknown }[] } | { [key: string]: unknown };
  normalizer: unknown;
  post_processor: unknown;
}

export type ConfigDocument = { [key: string]: unknown };

/** The recorded checkpoints whose tokenizer's ids are recorded in `text/tokenizer.<name>.json`. */
export const TOKENIZERS = ["tiny-orig-safetensors", "tiny-orig-bin", "tiny-orig-bin-single", "tiny-orig-f16"];

export function checkpointFile(checkpoint: string, name: string): Uint8Array {
  return readFileSync(golden(`checkpoints/${checkpoint}/${name}`));
}

export function tokenizerFiles(checkpoint: string): TokenizerFiles {
  return {
    tokenizerJson: checkpointFile(checkpoint, "tokenizer.json"),
    tokenizerConfig: checkpointFile(checkpoint, "tokenizer_config.json"),
    specialTokensMap: checkpointFile(checkpoint, "special_tokens_map.json"),
  };
}

export function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

export function readJson<Document>(data: Uint8Array): Document {
  return JSON.parse(new TextDecoder().decode(data)) as Document;
}

/** The files of a recorded checkpoint with its tokenizer.json changed, and its tokenizer_config.json too when asked. */
export function editedFiles(
  checkpoint: string,
  edit: (document: TokenizerDocument) => void,
  editConfig: (config: ConfigDocument) => void = () => {},
): TokenizerFiles {
  const document = readJson<TokenizerDocument>(checkpointFile(checkpoint, "tokenizer.json"));
  const config = readJson<ConfigDocument>(checkpointFile(checkpoint, "tokenizer_config.json"));
  edit(document);
  editConfig(config);
  return { ...tokenizerFiles(checkpoint), tokenizerJson: bytes(document), tokenizerConfig: bytes(config) };
}

/** Replaces the chain of pre-tokenizers by one catastrophic expression: twice as long for every further character of "aaa…b". */
export function hostilePattern(document: TokenizerDocument): void {
  document.pre_tokenizer = { type: "Split", pattern: { Regex: "(?:a+)+c" }, behavior: "Isolated", invert: false };
}
