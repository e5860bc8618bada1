import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compactSource } from "#dist/text/compact-tokenizer.js";
import {
  createTokenizer,
  sequenceTokens,
  type Tokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
} from "#dist/text/tokenizer.js";
import { compacted } from "../../support/compact-tokenizers.js";
import { recordedTexts } from "../../support/recorded-texts.js";
import { refusedNow } from "../../support/refusal.js";
import { bytes, editedFiles, hostilePattern, TOKENIZERS, tokenizerFiles } from "../../support/tokenizer-files.js";
import { anyText, RUNS, sameIds } from "../../support/tokenizer-texts.js";

const test = suite("text/compact-tokenizer");

const OPTIONS = { vocabRows: 2 ** 20 };

/** By tokenizer.json, and by its compact form. */
function both(files: TokenizerFiles, options: TokenizerOptions = OPTIONS): [Tokenizer, Tokenizer] {
  return [createTokenizer(files, options), createTokenizer(compacted(files), options)];
}

for (const checkpoint of TOKENIZERS) {
  test(`${checkpoint}: the same special tokens, and the same ids of all recorded texts, random ones and runs`, () => {
    const pair = both(tokenizerFiles(checkpoint));
    assert.equal(pair[1].special, pair[0].special);
    for (const text of [...recordedTexts(), ...RUNS]) sameIds(pair, text);
    fc.assert(
      fc.property(anyText, (text) => sameIds(pair, text)),
      { seed: 7, numRuns: 1000 },
    );
  });
}

test("added tokens that pass the normalizer are found as before, and so are normalizers", () => {
  const normalizers = [
    null,
    { type: "Sequence", normalizers: [] },
    { type: "NFKC" },
    { type: "Prepend", prepend: "▁" },
  ];
  for (const normalizer of normalizers) {
    const pair = both(
      editedFiles("tiny-orig-bin", (document) => {
        document.normalizer = normalizer;
        const next = 1 + document.added_tokens.at(-1)!.id;
        document.added_tokens.push({ id: next, content: "ﬁne", special: false, normalized: true });
        document.added_tokens.push({ id: next + 1, content: "x<ima", special: false, normalized: true });
      }),
    );
    for (const text of ["ﬁne fine ﬁ", "x<image_placeholder>", "x<imax", "①ﬁne\ufb01ne", ""]) sameIds(pair, text);
  }
});

test("a placeholder that the tokenizer lacks is appended, one of the vocabulary keeps its id", () => {
  for (const imageTag of ["<picture>", "the", "Ġthe", "\ud800", "constructor"]) {
    const options = { ...OPTIONS, imageTag };
    const pair = both(tokenizerFiles("tiny-orig-bin"), options);
    assert.equal(pair[1].special, pair[0].special, imageTag);
    sameIds(pair, `a${imageTag}b`);
  }
});

test("ids that begin, end and pad a sequence, BOS and EOS as tokenizer_config.json says", () => {
  const files = editedFiles(
    "tiny-orig-bin",
    () => {},
    (config) => Object.assign(config, { add_bos_token: false, add_eos_token: true }),
  );
  const pair = both(files);
  sameIds(pair, "a");
  assert.equal(pair[1].encode("a"), [64, pair[1].special.eos]);
  assert.equal(sequenceTokens(compacted(files), 1024), sequenceTokens(files, 1024));
  refusedNow(() => sequenceTokens(compacted(files), 600), "E_CONFIG", /must have an id below the 600 rows/);
});

test("a placeholder behind the rows of the table, and DeepSeek-VL's, are refused as before", () => {
  const files = compacted(tokenizerFiles("tiny-orig-bin"));
  refusedNow(() => createTokenizer(files, { vocabRows: 608 }), "E_CONFIG", /<image_placeholder>/, /below the 608 rows/);
  const unmarked = editedFiles("tiny-orig-bin", ({ added_tokens }) => {
    for (const token of added_tokens) token.content = token.content.replace(/^<(begin|end)_of_image>$/, "<$1>");
  });
  refusedNow(
    () => createTokenizer(compacted(unmarked), { ...OPTIONS, generates: false }),
    "E_UNSUPPORTED",
    /DeepSeek-VL/,
  );
});

test("a pattern that JavaScript cannot compile is refused, naming the file", () => {
  const files = editedFiles("tiny-orig-bin", (document) => {
    hostilePattern(document);
    const broken = { type: "Split", pattern: { Regex: "(unclosed" }, behavior: "Isolated", invert: false };
    const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
    document.pre_tokenizer = { type: "Sequence", pretokenizers: [broken, bytes] };
  });
  refusedNow(() => createTokenizer(compacted(files), OPTIONS), "E_CONFIG", /^tokenizer\.janus/);
});

test("what it was made of", () => {
  const { tokenizerJson } = tokenizerFiles("tiny-orig-bin");
  const made = compactSource(compacted({ tokenizerJson }).tokenizerJson);
  assert.is(made.bytes, tokenizerJson.length);
  assert.match(made.sha256, /^[0-9a-f]{64}$/);
});

test("at any place of a buffer", () => {
  const files = compacted(tokenizerFiles("tiny-orig-bin"));
  const expected = createTokenizer(files, OPTIONS).encode("the tree");
  for (const offset of [1, 2, 4]) {
    const tokenizerJson = new Uint8Array(files.tokenizerJson.length + offset).subarray(offset);
    tokenizerJson.set(files.tokenizerJson);
    assert.equal(createTokenizer({ ...files, tokenizerJson }, OPTIONS).encode("the tree"), expected);
  }
});

test("no JSON is taken for it", () => {
  refusedNow(() => createTokenizer({ tokenizerJson: bytes("JANUSTO") }, OPTIONS), "E_CONFIG", /^tokenizer\.json/);
  refusedNow(() => createTokenizer({ tokenizerJson: bytes("JANUSTOK") }, OPTIONS), "E_FORMAT", /tokenizer\.janus/);
});

test.run();
