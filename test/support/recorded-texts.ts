import { readFileSync } from "node:fs";
import { golden, ROOT } from "./paths.js";
import { TOKENIZERS } from "./tokenizer-files.js";

type Cases<Case> = { readonly cases: readonly Case[] };

const read = <Case>(path: string): readonly Case[] => (JSON.parse(readFileSync(path, "utf8")) as Cases<Case>).cases;

/** Every recorded text and rendered prompt, and a page of prose. */
export function recordedTexts(): string[] {
  const tokenized = TOKENIZERS.flatMap((name) => read<{ text: string }>(golden(`text/tokenizer.${name}.json`)));
  const rendered = read<{ rendered: string }>(golden("text/templates.json"));
  const page = readFileSync(`${ROOT}CONTRIBUTING.md`, "utf8");
  return [...new Set([...tokenized.map(({ text }) => text), ...rendered.map(({ rendered }) => rendered), page])];
}
