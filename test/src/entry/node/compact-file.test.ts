import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compactFiles } from "#dist/entry/node/compact-file.js";
import { compactOf } from "../../../support/compact-tokenizers.js";
import { memorySource } from "../../../support/fuse-checkpoint.js";
import { bytes, checkpointFile, editedFiles } from "../../../support/tokenizer-files.js";
import { rejection } from "../../../support/waiting.js";

const test = suite("entry/node/compact-file");

const JSON_FILE = checkpointFile("tiny-orig-bin", "tokenizer.json");
const made = (files: Record<string, Uint8Array>) => compactFiles(memorySource(files), undefined);

test("one file, which says what it was made of", async () => {
  const [file, ...more] = await made({ "tokenizer.json": JSON_FILE });
  assert.equal([file?.name, more.length], ["tokenizer.janus", 0]);
  assert.equal([...(file!.chunks as Iterable<Uint8Array>)], [compactOf(JSON_FILE)]);
});

test("none of no tokenizer.json, of one of another kind, of one that is broken or too large", async () => {
  const other = editedFiles("tiny-orig-bin", ({ model }) => (model["ignore_merges"] = true)).tokenizerJson;
  const unigram = editedFiles("tiny-orig-bin", ({ model }) => (model.type = "Unigram")).tokenizerJson;
  assert.equal(await made({}), []);
  for (const json of [other, unigram, bytes("{"), bytes(""), bytes("[]")])
    assert.equal(await made({ "tokenizer.json": json }), []);
  const large = { ...memorySource({}), size: async () => 2 ** 40 };
  assert.equal(await compactFiles(large, undefined), []);
});

test("what the source says goes on", async () => {
  const failing = { ...memorySource({ "tokenizer.json": JSON_FILE }), read: () => Promise.reject("no disk") };
  assert.is(await rejection(compactFiles(failing, undefined)), "no disk");
});

test.run();
