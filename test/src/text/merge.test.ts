import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BYTE_ALPHABET } from "#dist/text/byte-alphabet.js";
import { readCompactTokenizer } from "#dist/text/compact-tokenizer.js";
import { readCompact } from "../../support/compact-reader.js";
import { compactOf } from "../../support/compact-tokenizers.js";
import { bytes } from "../../support/tokenizer-files.js";

const test = suite("text/merge");

/** A tokenizer of these merges, each of two tokens that are there already, by their number. */
function tokenizerOf(merges: readonly (readonly [number, number])[]): Uint8Array {
  const tokens = [...BYTE_ALPHABET];
  const pairs = merges.map(([left, right]) => {
    // Small numbers are a, b, c; greater ones what earlier merges made.
    const known = ["a", "b", "c", ...tokens.slice(256)];
    const pair = [known[left % known.length]!, known[right % known.length]!] as const;
    if (!tokens.includes(pair.join(""))) tokens.push(pair.join(""));
    return pair;
  });
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const pre_tokenizer = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  return compactOf(bytes({ model: { type: "BPE", vocab, merges: pairs }, pre_tokenizer }))!;
}

test("any merges, any word: as the plain reader merges, pass by pass", () => {
  const merge = fc.tuple(fc.nat(40), fc.nat(40));
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 40 });
  fc.assert(
    fc.property(fc.array(merge, { maxLength: 24 }), fc.array(word, { minLength: 1, maxLength: 8 }), (merges, words) => {
      const file = tokenizerOf(merges);
      const plain = readCompact(file);
      const { merger } = readCompactTokenizer(file);
      for (const word of words) {
        const ids: number[] = [];
        merger.encode(word, ids);
        assert.equal(ids, plain.mergeWord(word), `${word} by ${JSON.stringify(plain.merges)}`);
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});

test("a pair that has changed waits for its own turn, not for that of the pair before it", () => {
  // bc first; then ab is gone, and bc with what follows goes before a with bc.
  const file = tokenizerOf([
    [1, 2],
    [0, 1],
    [3, 0],
    [0, 3],
  ]);
  const { merger, vocabulary } = readCompactTokenizer(file);
  const ids: number[] = [];
  merger.encode("abca", ids);
  assert.equal(ids, [vocabulary.idOf("a"), vocabulary.idOf("bca")]);
  assert.ok(vocabulary.idOf("abc") !== undefined);
});

test("ids are appended, an empty word has none", () => {
  const { merger } = readCompactTokenizer(tokenizerOf([]));
  const ids = [7];
  merger.encode("", ids);
  assert.equal(ids, [7]);
  merger.encode("ab", ids);
  assert.is(ids.length, 3);
});

test("one word of a million bytes takes no square of that", () => {
  // Powers of two of one letter: every pass of a plain loop would go over all of it.
  const doubling = Array.from({ length: 16 }, (_, n) => [n === 0 ? 0 : n + 2, n === 0 ? 0 : n + 2] as const);
  const { merger, vocabulary } = readCompactTokenizer(tokenizerOf(doubling));
  const started = performance.now();
  for (const [word, expected] of [
    ["a".repeat(2 ** 20), 16],
    ["ab".repeat(2 ** 19), 2 ** 20],
    [`${"a".repeat(2 ** 16)}b`.repeat(15), 30],
  ] as const) {
    const ids: number[] = [];
    merger.encode(word, ids);
    assert.is(ids.length, expected);
  }
  assert.is(vocabulary.idOf("a".repeat(2 ** 16)), vocabulary.size - 1);
  assert.ok(performance.now() - started < 20_000);
});

test("words around the room that is kept", () => {
  const { merger } = readCompactTokenizer(tokenizerOf([[0, 0]]));
  for (const length of [1023, 1024, 1025, 5000, 3]) {
    const ids: number[] = [];
    merger.encode("a".repeat(length), ids);
    assert.is(ids.length, Math.ceil(length / 2), `${length}`);
  }
});

test.run();
