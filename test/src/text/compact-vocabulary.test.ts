import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compactLayout } from "#dist/text/compact-layout.js";
import { readCompactTokenizer } from "#dist/text/compact-tokenizer.js";
import { byteTokens, compactVocabulary } from "#dist/text/compact-vocabulary.js";
import { changedCompact } from "../../support/changed-compact.js";
import { refusedNow } from "../../support/refusal.js";
import { checkpointFile, readJson, type TokenizerDocument } from "../../support/tokenizer-files.js";

const test = suite("text/compact-vocabulary");

const { vocab } = readJson<TokenizerDocument>(checkpointFile("tiny-orig-bin", "tokenizer.json")).model;

test("every token is found, and nothing else", () => {
  const vocabulary = compactVocabulary(compactLayout(changedCompact(() => {})));
  assert.is(vocabulary.size, 600);
  for (const [token, id] of Object.entries(vocab)) assert.is(vocabulary.idOf(token), id, token);
  const first = Object.keys(vocab).sort()[0]!;
  const others = [
    "",
    "\u0000",
    "\u{10ffff}",
    `${first}\u0000`,
    "no such token",
    "constructor",
    "__proto__",
    "\ud800",
    "a\udc00",
  ];
  for (const token of others) assert.is(vocabulary.idOf(token), undefined, JSON.stringify(token));
});

test("the token of every byte, by its character", () => {
  const ids = byteTokens(compactVocabulary(compactLayout(changedCompact(() => {}))));
  assert.is(ids["a".charCodeAt(0)], vocab["a"]);
  assert.is(ids["Ġ".charCodeAt(0)], vocab["Ġ"]);
  assert.is(ids.filter((id) => id >= 0).length, 256);
});

test("tables that do not hold every text once are refused, naming the file", () => {
  const changes: [RegExp, Parameters<typeof changedCompact>[0]][] = [
    [/expected texts from 0 to \d+, got 1/, ({ offsets }) => (offsets[0] = 1)],
    [/expected texts from 0 to \d+, got 0 to/, ({ offsets }) => (offsets[600] = offsets[599]!)],
    [
      /expected the ends of texts in ascending order, got 4294967295|behind 4294967295/,
      ({ offsets }) => (offsets[5] = 2 ** 32 - 1),
    ],
    [/expected ids below 600, got 600/, ({ order }) => (order[9] = 600)],
    [/expected ids below 600, got 4294967295/, ({ order }) => (order[0] = 2 ** 32 - 1)],
    [/expected texts in ascending order/, ({ order }) => (order[9] = order[8]!)],
    [/expected texts in ascending order/, ({ order }) => order.reverse()],
    [/expected texts in ascending order/, ({ texts }) => texts.fill(0x61)],
  ];
  for (const [message, change] of changes)
    refusedNow(() => readCompactTokenizer(changedCompact(change)), "E_FORMAT", /tokenizer\.janus/, message);
});

test("a vocabulary without a token for some byte is refused, naming its character", () => {
  const change = changedCompact(({ texts, offsets }) => {
    const id = vocab["Ń"] as number;
    assert.equal([...texts.subarray(offsets[id], offsets[id + 1])], [0xc5, 0x83]);
    texts[offsets[id]! + 1] = 0x84; // U+0144, which sorts behind the same tokens and is no byte's.
  });
  const vocabulary = compactVocabulary(compactLayout(change));
  refusedNow(() => byteTokens(vocabulary), "E_FORMAT", /expected a token for every byte, got none for "Ń"/);
});

test.run();
