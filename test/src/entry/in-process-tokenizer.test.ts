import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startInProcessTokenizer } from "#dist/entry/in-process-tokenizer.js";
import { directorySource } from "#dist/entry/node/index.js";
import { startTokenizer } from "#dist/entry/node/tokenizer.js";
import { readTokenizerFiles } from "#dist/entry/prepare.js";
import { ROOT } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/in-process-tokenizer");

const source = directorySource(`${ROOT}models/demo`);
const files = (await readTokenizerFiles(source, false))!;
const options = { vocabRows: 1024 };
test.after(() => source.close());

const TEXTS = ["What is on the right?", "<image_placeholder>\nOne picture.", "é 漢字 🙂", ""];

test("the ids and special tokens of the one that has a thread", async () => {
  const here = startInProcessTokenizer(files, options);
  const there = startTokenizer(files, options);
  assert.equal(await here.special(), await there.special());
  assert.equal(await here.encode(TEXTS), await there.encode(TEXTS));
  await there.dispose();
});

test("files that make no tokenizer are refused by every call, and an abort comes before", async () => {
  const tokenizer = startInProcessTokenizer({ tokenizerJson: new Uint8Array(3) }, options);
  assert.is(await rejection(tokenizer.special(AbortSignal.abort("enough"))), "enough");
  for (let call = 0; call < 2; call++) await refused(tokenizer.encode(TEXTS), "E_CONFIG", /tokenizer.json/);
});

test("when it is disposed of, also before it was used, calls are E_DISPOSED", async () => {
  for (const used of [true, false]) {
    const tokenizer = startInProcessTokenizer(files, options);
    if (used) await tokenizer.encode(TEXTS);
    await tokenizer.dispose();
    await refused(tokenizer.encode(TEXTS), "E_DISPOSED", /load the model again/);
    await refused(tokenizer.special(), "E_DISPOSED", /load the model again/);
  }
});

test.run();
