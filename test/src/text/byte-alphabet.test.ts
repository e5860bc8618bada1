import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BYTE_ALPHABET } from "#dist/text/byte-alphabet.js";
import { checkpointFile, readJson, type TokenizerDocument } from "../../support/tokenizer-files.js";

const test = suite("text/byte-alphabet");

test("256 characters, which are the tokens that a recorded tokenizer begins with", () => {
  const { model } = readJson<TokenizerDocument>(checkpointFile("tiny-orig-bin", "tokenizer.json"));
  const single = Object.keys(model.vocab).filter((token) => token.length === 1);
  assert.is(new Set(BYTE_ALPHABET).size, 256);
  assert.equal([...BYTE_ALPHABET].sort(), single.sort());
});

test.run();
