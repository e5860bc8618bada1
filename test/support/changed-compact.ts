import { type CompactLayout, compactLayout } from "#dist/text/compact-layout.js";
import { compactOf, resummed } from "./compact-tokenizers.js";
import { checkpointFile } from "./tokenizer-files.js";

const FILE = compactOf(checkpointFile("tiny-orig-bin", "tokenizer.json"))!;

/** The compact file of a recorded tokenizer, its parts changed and its checksum right: what somebody can make who means harm. */
export function changedCompact(change: (parts: CompactLayout) => void): Uint8Array {
  const file = Uint8Array.from(FILE);
  change(compactLayout(file));
  return resummed(file);
}
