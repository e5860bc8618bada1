import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compactLayout } from "#dist/text/compact-layout.js";
import { readCompactTokenizer } from "#dist/text/compact-tokenizer.js";
import { mergeTable } from "#dist/text/merge-table.js";
import { changedCompact } from "../../support/changed-compact.js";
import { refusedNow } from "../../support/refusal.js";
import { checkpointFile, readJson, type TokenizerDocument } from "../../support/tokenizer-files.js";

const test = suite("text/merge-table");

const { vocab, merges } = readJson<TokenizerDocument>(checkpointFile("tiny-orig-bin", "tokenizer.json")).model;

test("every merge is found with its rank and what it makes, and no other pair", () => {
  const { find, rank, result } = mergeTable(compactLayout(changedCompact(() => {})));
  const pairs = new Set<number>();
  (merges as [string, string][]).forEach(([left, right], expected) => {
    const [a, b] = [vocab[left] as number, vocab[right] as number];
    const place = find(a, b);
    assert.is(rank[place], expected);
    assert.is(result[place], vocab[left + right]);
    pairs.add(600 * a + b);
  });
  for (let pair = 0; pair < 600 * 600; pair++)
    if (!pairs.has(pair) && find(Math.floor(pair / 600), pair % 600) !== -1) assert.unreachable(`pair ${pair}`);
});

test("tables that are no merges are refused, naming the file", () => {
  const changes: [RegExp, Parameters<typeof changedCompact>[0]][] = [
    [/expected the ends of merges in ascending order, got 0 behind 1/, ({ first }) => (first[0] = 1)],
    [/expected merges from 0 to \d+/, ({ first }) => first.fill(0)],
    [/expected the ends of merges in ascending order/, ({ first }) => (first[300] = 2 ** 32 - 1)],
    [/expected every rank below \d+ once, got 4294967295;?/, ({ rank }) => (rank[0] = 2 ** 32 - 1)],
    [/expected every rank below \d+ once, got \d+ twice/, ({ rank }) => (rank[0] = rank[1]!)],
    [/to make the token of both texts, got 4294967295/, ({ result }) => (result[3] = 2 ** 32 - 1)],
    [/to make the token of both texts/, ({ result }) => (result[3] = result[4]!)],
    [
      /and 4294967295 to make the token|in ascending order, got \d+ behind 4294967295/,
      ({ right }) => (right[3] = 2 ** 32 - 1),
    ],
    [/expected the merges of token \d+ in ascending order|to make the token/, ({ right }) => right.reverse()],
  ];
  for (const [message, change] of changes)
    refusedNow(() => readCompactTokenizer(changedCompact(change)), "E_FORMAT", /tokenizer\.janus/, message);
});

test.run();
