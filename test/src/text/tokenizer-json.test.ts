import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkTokenizerJson, idOf, type TokenizerJson, withAddedToken } from "#dist/text/tokenizer-json.js";
import { refusedNow } from "../../support/refusal.js";
import { checkpointFile, readJson, type TokenizerDocument } from "../../support/tokenizer-files.js";

/** A recorded tokenizer.json, changed and checked: 580 tokens of vocabulary, 8 added ones up to 587. */
function check(edit: (document: TokenizerDocument) => void): TokenizerJson {
  const document = readJson<TokenizerDocument>(checkpointFile("tiny-orig-safetensors", "tokenizer.json"));
  edit(document);
  return checkTokenizerJson({ ...document });
}

const test = suite("text/tokenizer-json");

test("an appended token gets the id behind the last one, and is special", () => {
  const json = withAddedToken(
    check(() => {}),
    "<image_placeholder>",
  );
  assert.is(idOf(json, "<image_placeholder>"), 588);
  assert.equal(json.added_tokens.at(-1), { id: 588, content: "<image_placeholder>", special: true, normalized: false });
  const bare = withAddedToken(
    check((document) => (document.added_tokens = [])),
    "<image_placeholder>",
  );
  assert.is(idOf(bare, "<image_placeholder>"), 580);
});

test("an added token that is there is not added again; one of the vocabulary keeps its id", () => {
  const json = check(() => {});
  assert.is(withAddedToken(json, "<begin_of_image>"), json);
  assert.equal(withAddedToken(json, "a").added_tokens.at(-1), {
    id: 64,
    content: "a",
    special: true,
    normalized: false,
  });
});

test("ids of names that objects inherit are not found", () => {
  const json = check(() => {});
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) assert.is(idOf(json, name), undefined);
});

test("C16 duplicate added tokens are refused, by content and by id", () => {
  const duplicate = (change: object) =>
    check(({ added_tokens }) => added_tokens.push({ ...added_tokens.at(-1)!, ...change }));
  refusedNow(() => duplicate({}), "E_CONFIG", /tokenizer\.json: added_tokens\[8\]/, /<end_of_image>.* already/);
  refusedNow(() => duplicate({ id: 588 }), "E_CONFIG", /added_tokens\[8\]/, /already an added token/);
  refusedNow(
    () => duplicate({ content: "<new>" }),
    "E_CONFIG",
    /added_tokens\[8\]/,
    /id 588, the next free one, got 587/,
  );
  refusedNow(() => duplicate({ content: "<new>", id: 5 }), "E_CONFIG", /id 588, the next free one, got 5/);
  refusedNow(() => duplicate({ content: "a", id: 588 }), "E_CONFIG", /id 64, as in model\.vocab, got 588/);
  assert.is(idOf(duplicate({ content: "a", id: 64 }), "a"), 64);
  assert.is(idOf(duplicate({ content: "<new>", id: 588 }), "<new>"), 588);
});

test("a gap in the ids is refused: the tokenizers crate would close it", () => {
  refusedNow(() => check(({ added_tokens }) => (added_tokens[7]!.id = 700)), "E_CONFIG", /id 587.*got 700/);
});

test("what is not a tokenizer is refused, naming the key", () => {
  const edits: [(document: TokenizerDocument) => void, RegExp][] = [
    [(d) => delete (d as Partial<TokenizerDocument>).model, /model must be an object, got undefined/],
    [(d) => Object.assign(d.model, { vocab: [] }), /model\.vocab must be an object, got a list/],
    [(d) => (d.model.vocab["x1"] = "7"), /model\.vocab\["x1"\] must be an integer from 0 to 2147483647, got "7"/],
    [(d) => (d.model.vocab["x1"] = 1.5), /got 1\.5/],
    [(d) => (d.model.vocab["x1"] = -1), /got -1/],
    [(d) => (d.model.vocab["x1"] = 2 ** 31), /got 2147483648/],
    [(d) => Object.assign(d.model, { unk_token: "<unk>" }), /model\.unk_token must be in the vocabulary, got "<unk>"/],
    [(d) => Object.assign(d.model, { unk_token: 0 }), /model\.unk_token must be a string, got 0/],
    [(d) => Object.assign(d.model, { merges: {} }), /model\.merges must be a list, got an object/],
    [(d) => (d.model.merges[3] = "abc"), /model\.merges\[3\] must be two tokens, got "abc"/],
    [(d) => (d.model.merges[3] = "a b c"), /model\.merges\[3\] must be two tokens/],
    [(d) => (d.model.merges[3] = [1, 2]), /model\.merges\[3\] must be two tokens, got a list/],
    [(d) => (d.model.merges[3] = "a nosuchtoken"), /model\.merges\[3\] needs "nosuchtoken"/],
    [(d) => (d.model.merges[3] = "q q"), /model\.merges\[3\] needs "qq"/],
    [(d) => Object.assign(d, { added_tokens: {} }), /added_tokens must be a list/],
    [(d) => Object.assign(d.added_tokens, { 0: 3 }), /added_tokens\[0\] must be an object, got 3/],
    [(d) => (d.added_tokens[0]!.content = ""), /added_tokens\[0\]\.content must be a token, got ""/],
    [(d) => Object.assign(d.added_tokens[0]!, { content: 3 }), /added_tokens\[0\]\.content must be a string/],
    [(d) => Object.assign(d.added_tokens[0]!, { id: "580" }), /added_tokens\[0\]\.id must be an integer/],
    [(d) => (d.normalizer = { type: "Prepend" }), /normalizer\.prepend must be a string/],
    [(d) => (d.normalizer = { type: "Replace", pattern: { String: "a" } }), /normalizer\.content must be a string/],
  ];
  for (const [edit, pattern] of edits) refusedNow(() => check(edit), "E_CONFIG", /^tokenizer\.json: /, pattern);
});

test("what would be tokenized otherwise than by the crate is refused, not approximated", () => {
  const edits: [(document: TokenizerDocument) => void, RegExp][] = [
    [(d) => (d.model.type = "Unigram"), /model\.type must be BPE, got "Unigram"/],
    [(d) => Object.assign(d.model, { dropout: 0.1 }), /model\.dropout must be absent, got 0\.1/],
    [
      (d) => Object.assign(d.model, { continuing_subword_prefix: "##" }),
      /continuing_subword_prefix must be absent, got "##"/,
    ],
    [(d) => Object.assign(d.model, { end_of_word_suffix: "</w>" }), /end_of_word_suffix/],
    [(d) => (d.added_tokens[0]!["single_word"] = true), /added_tokens\[0\]\.single_word must be false, got true/],
    [(d) => (d.added_tokens[0]!["lstrip"] = true), /lstrip/],
    [(d) => (d.added_tokens[0]!["rstrip"] = true), /rstrip/],
  ];
  for (const [edit, pattern] of edits) refusedNow(() => check(edit), "E_UNSUPPORTED", /^tokenizer\.json: /, pattern);
});

test("normalizer and pre_tokenizer are checked too", () => {
  refusedNow(
    () => check((d) => Object.assign(d, { normalizer: 3 })),
    "E_CONFIG",
    /^tokenizer\.json: normalizer must be/,
  );
  refusedNow(
    () => check((d) => Object.assign(d, { pre_tokenizer: 3 })),
    "E_CONFIG",
    /^tokenizer\.json: pre_tokenizer must be/,
  );
});

test.run();
