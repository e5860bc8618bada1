/** The library's parts, joined here, against its own class, and the cutting of texts around words. */
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createEncoder } from "#dist/text/encoder.js";
import { checkTokenizerJson } from "#dist/text/tokenizer-json.js";
import { wordSplitter } from "#dist/text/word-splitter.js";

const test = suite("encoder");

const LETTERS = [..."abcABC<>| ", "Ġ", "Ċ", "é", "ﬁ", "▁"];
const VOCAB = Object.fromEntries([...LETTERS, "?", "ab", "bc", "abc", "Ġa", "<|"].map((token, id) => [token, id]));
const MERGES = ["a b", "ab c", "b c", "Ġ a", "< |"];

const ADDED = [
  { content: "<a>", special: true, normalized: false },
  { content: "<a>b", special: true, normalized: false },
  { content: "ﬁ|", special: false, normalized: true },
  { content: "a|", special: false, normalized: true },
  { content: "c", special: false, normalized: true },
];

const NORMALIZERS = [
  null,
  { type: "NFKC" },
  {
    type: "Sequence",
    normalizers: [
      { type: "NFD" },
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
      { type: "Replace", pattern: { Regex: "b+" }, content: "a|" },
    ],
  },
];

const PRE_TOKENIZERS = [
  null,
  { type: "ByteLevel", add_prefix_space: true, use_regex: false },
  {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: "\\s?[a-c]{1,3}" }, behavior: "Isolated", invert: false },
      { type: "Digits", individual_digits: true },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  },
];

const MODELS = [{}, { ignore_merges: true }, { byte_fallback: true }, { fuse_unk: true }];

for (const normalizer of NORMALIZERS)
  for (const pre_tokenizer of PRE_TOKENIZERS)
    test(`as the library's class: ${normalizer?.type}, ${pre_tokenizer?.type}`, () => {
      for (const kind of MODELS) {
        let next = Object.keys(VOCAB).length;
        const added_tokens = ADDED.map((token) => ({ ...token, id: VOCAB[token.content] ?? next++ }));
        const model = { type: "BPE", vocab: VOCAB, merges: MERGES, unk_token: "?", ...kind };
        const parts = checkTokenizerJson({ model, normalizer, pre_tokenizer, added_tokens });
        const whole = new Tokenizer({ ...parts, post_processor: null, decoder: null }, {});
        const encode = createEncoder(parts);
        const text = fc.array(
          fc.oneof(fc.constantFrom(...LETTERS, ..."12\n", ...ADDED.map((t) => t.content)), fc.string()),
        );
        fc.assert(
          fc.property(text, (pieces) => {
            const { ids } = whole.encode(pieces.join(""), { add_special_tokens: false });
            assert.equal(encode(pieces.join("")), ids);
          }),
        );
      }
    });

test("a text is cut around the longest word at every place", () => {
  const split = wordSplitter(["ab", "abcd", "b", "👍"]);
  assert.equal(split("xabcabcd👍abcb"), ["x", "ab", "c", "abcd", "👍", "ab", "c", "b"]);
  assert.equal(split("xyz"), ["xyz"]);
  assert.equal(split(""), []);
  assert.equal(wordSplitter([])("ab"), ["ab"]);
});

test.run();
