import fc from "fast-check";
import * as assert from "uvu/assert";
import type { Tokenizer } from "#dist/text/tokenizer.js";

/** What trips tokenizers: pieces of added tokens, white space of all kinds, scripts, joiners, halves of surrogate pairs, runs. */
const PIECES = [
  ..."aA0 \t\n\r\u0000\u0085\u00a0\u200d\ufeff\u3000é漢あ가ש½Ⅷ²",
  ...["\ud800", "\udc00", "<image_placeholder>", "<image_", "<｜begin▁of▁sentence｜>", "<｜", "<|User|>", "<|ref|>"],
  ...["the", " The", "'s", "👩\u200d👩\u200d👧", "🇩🇪", "a".repeat(25), " ".repeat(10), "\r\n\r\n", "１２３", "e\u0301"],
  ...["!!!!??", "{}[];", "https://x.y/z?q=1#é"],
];

export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join("")),
  fc.array(fc.nat(0xffff), { maxLength: 60 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: "grapheme", maxLength: 80 }),
);

/** Texts of one word, or of many of one kind. */
export const RUNS: readonly string[] = [
  "a",
  " ",
  "\n",
  "漢",
  "\u0000",
  "🇩🇪",
  "<",
  "<image_placeholder>",
  "ab",
  "\ud800",
].map((one) => one.repeat(2000));

/** Fails unless both tokenizers give the same ids. */
export function sameIds([one, other]: readonly [Tokenizer, Tokenizer], text: string): void {
  const [expected, found] = [one.encode(text), other.encode(text)];
  // Not assert.equal: of long lists it makes a page of differences.
  if (expected.join() !== found.join()) assert.unreachable(`${JSON.stringify(text.slice(0, 200))}: other ids`);
}
