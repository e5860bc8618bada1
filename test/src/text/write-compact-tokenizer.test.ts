import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCompact } from "../../support/compact-reader.js";
import { compactOf } from "../../support/compact-tokenizers.js";
import { refusedNow } from "../../support/refusal.js";
import {
  bytes,
  checkpointFile,
  editedFiles,
  readJson,
  TOKENIZERS,
  type TokenizerDocument,
} from "../../support/tokenizer-files.js";

const test = suite("text/write-compact-tokenizer");

const edited = (edit: (document: TokenizerDocument) => void): Uint8Array =>
  editedFiles("tiny-orig-bin", edit).tokenizerJson;

for (const checkpoint of TOKENIZERS) {
  test(`${checkpoint}: a stranger's reader finds what tokenizer.json has`, () => {
    const json = checkpointFile(checkpoint, "tokenizer.json");
    const { model, added_tokens } = readJson<TokenizerDocument>(json);
    const found = readCompact(compactOf(json)!);
    assert.equal(found.header.source, { bytes: json.length, sha256: createHash("sha256").update(json).digest("hex") });
    assert.equal(
      found.header.added_tokens.map(({ id, content }) => [id, content]),
      added_tokens.map(({ id, content }) => [id, content]),
    );
    assert.equal(Object.fromEntries(found.tokens.map((token, id) => [token, id])), { ...model.vocab });
    assert.equal(
      found.merges,
      model.merges.map((merge) => (typeof merge === "string" ? merge.split(" ") : merge)),
    );
    for (const token of ["a", "Ġthe", "Ġ", found.tokens.at(-1)!])
      assert.is(found.idOf(token), model.vocab[token], token);
  });
}

test("the same tables whatever the order of the vocabulary's keys", () => {
  const json = checkpointFile("tiny-orig-bin", "tokenizer.json");
  const turned = readJson<TokenizerDocument>(json);
  turned.model.vocab = Object.fromEntries(Object.entries(turned.model.vocab).reverse());
  const [one, other] = [compactOf(json)!, compactOf(bytes(turned))!];
  const tables = (file: Uint8Array) => file.subarray(32 + new DataView(file.buffer).getUint32(24, true));
  assert.ok(tables(one).length > 8000);
  assert.equal(tables(other), tables(one));
});

test("of a pair that the list of merges has twice the later rank counts", () => {
  const json = edited(({ model }) => model.merges.push(model.merges[0]));
  const { merges } = readCompact(compactOf(json)!);
  const { model } = readJson<TokenizerDocument>(json);
  assert.equal(merges, model.merges.slice(1));
});

test("tokenizers of other kinds have no compact form", () => {
  const others: [string, (document: TokenizerDocument) => void][] = [
    ["a byte without a token", ({ model }) => rename(model, "Ā", "ĀĀĀ")],
    ["two tokens of one id", ({ model }) => (model.vocab["!"] = model.vocab["a"])],
    ["an id behind a gap", ({ model }) => (model.vocab["a"] = 100_000)],
    ["a lone surrogate", ({ model }) => rename(model, "Ā", "\ud800")],
    ["ignore_merges", ({ model }) => (model["ignore_merges"] = true)],
    ["no pre-tokenizer", (document) => (document.pre_tokenizer = null as never)],
    ["no ByteLevel", ({ pre_tokenizer }) => void (pre_tokenizer as { pretokenizers: unknown[] }).pretokenizers.pop()],
  ];
  for (const [what, edit] of others) assert.is(compactOf(edited(edit)), undefined, what);
  assert.ok(compactOf(edited(() => {})));
});

/** Gives a token that is in no merge another text. */
function rename({ vocab, merges }: TokenizerDocument["model"], token: string, text: string): void {
  assert.not.ok(JSON.stringify(merges).includes(token));
  vocab[text] = vocab[token];
  delete vocab[token];
}

test("what is no tokenizer.json is refused as it is without a compact form", () => {
  refusedNow(() => compactOf(bytes("{")), "E_CONFIG", /^tokenizer\.json/);
  refusedNow(() => compactOf(edited(({ model }) => (model.type = "Unigram"))), "E_UNSUPPORTED", /model\.type/);
});

test.run();
