import { createHash } from "node:crypto";
import { JanusError } from "../../errors.js";
import { COMPACT_FILE } from "../../text/compact-layout.js";
import { MAX_FILE_BYTES } from "../../text/json-object.js";
import { compactTokenizer } from "../../text/write-compact-tokenizer.js";
import type { WeightSource } from "../../weights/source.js";
import type { OutputFile } from "./output-directory.js";

/**
 * tokenizer.janus of a checkpoint's tokenizer.json; nothing for one that has no compact form, nor for one that no prompt could be tokenized with: that is
 * taken along as it is, and said when there is a prompt.
 */
export async function compactFiles(source: WeightSource, signal: AbortSignal | undefined): Promise<OutputFile[]> {
  const size = (await source.size("tokenizer.json", signal)) ?? 0;
  if (size === 0 || size > MAX_FILE_BYTES) return [];
  const json = await source.read("tokenizer.json", 0, size, signal);
  try {
    const bytes = compactTokenizer(json, createHash("sha256").update(json).digest("hex"));
    return bytes === undefined ? [] : [{ name: COMPACT_FILE, chunks: [bytes] }];
  } catch (error) {
    if (error instanceof JanusError) return [];
    throw error;
  }
}
