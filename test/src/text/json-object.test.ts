import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  asArray,
  asObject,
  asString,
  MAX_FILE_BYTES,
  mismatch,
  parseObject,
  unsupported,
} from "#dist/text/json-object.js";
import { refusedNow } from "../../support/refusal.js";
import { bytes } from "../../support/tokenizer-files.js";

const test = suite("text/json-object");

test("an object is parsed, with a byte order mark too", () => {
  assert.equal(parseObject("f.json", bytes('{"a":[1]}')), { a: [1] });
  assert.equal(parseObject("f.json", bytes('\ufeff{"a":1}')), { a: 1 });
});

test("what is not a JSON object is refused, naming the file", () => {
  refusedNow(() => parseObject("f.json", bytes("{")), "E_CONFIG", /^f\.json: expected JSON in UTF-8, got /);
  refusedNow(() => parseObject("f.json", new Uint8Array([0x7b, 0x80, 0x7d])), "E_CONFIG", /^f\.json: expected JSON/);
  refusedNow(() => parseObject("f.json", bytes("[]")), "E_CONFIG", /^f\.json must be an object, got a list$/);
  refusedNow(() => parseObject("f.json", bytes("null")), "E_CONFIG", /^f\.json must be an object, got null$/);
});

test("C18 the cap is 64 MB", () => {
  assert.is(MAX_FILE_BYTES, 64 * 1024 * 1024);
  const longest = new Uint8Array(MAX_FILE_BYTES).fill(0x20);
  longest.set(bytes("{}"));
  assert.equal(parseObject("f.json", longest), {});
  const longer = new Uint8Array(MAX_FILE_BYTES + 1).fill(0x20);
  longer.set(bytes("{}"));
  refusedNow(() => parseObject("f.json", longer), "E_CONFIG", /at most 67108864 bytes are read, got 67108865/);
});

test("values are what they must be, or named", () => {
  assert.equal([asObject("k", { a: 1 }), asArray("k", [1]), asString("k", "s")], [{ a: 1 }, [1], "s"]);
  refusedNow(() => asObject("k", []), "E_CONFIG", /^k must be an object, got a list$/);
  refusedNow(() => asArray("k", {}), "E_CONFIG", /^k must be a list, got an object$/);
  refusedNow(() => asString("k", undefined), "E_CONFIG", /^k must be a string, got undefined$/);
});

test("messages are bounded and of one line, whatever the value", () => {
  for (const error of [mismatch("k", "x", "\n\u001b[31m".repeat(1000)), unsupported("k", "x", "\n".repeat(1000))]) {
    assert.ok(error.message.length < 250, `${error.message.length}`);
    assert.not.ok(error.message.includes("\n") || error.message.includes("\u001b"));
  }
  assert.is(unsupported("k", "x", 1).origin, "model");
});

test.run();
