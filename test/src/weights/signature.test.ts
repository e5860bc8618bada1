import { suite } from "uvu";
import * as assert from "uvu/assert";
import { recognise } from "#dist/weights/signature.js";
import { safetensorsBytes } from "../../support/safetensors-bytes.js";

const test = suite("weights/signature");
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

for (const [what, head, pattern] of [
  ["a git-LFS pointer", ascii("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), /git lfs pull/],
  ["a page", ascii("\r\n <!doctype HTML><html>"), /HTML/],
  ["an XML error", ascii('<?xml version="1.0"?><Error/>'), /HTML or XML/],
  ["GGUF", ascii("GGUF\x03\0\0\0"), /GGUF/],
  ["a PyTorch file before 1.6", ascii("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), /older than version 1\.6/],
  ["a bare pickle", ascii("\x80\x04\x95"), /bare pickle/],
] as const) {
  test(`${what} is called by its name`, () => {
    for (const expected of ["safetensors", "zip", "json"] as const) assert.match(recognise(head, expected)!, pattern);
  });
}

test("a file of another format is called by its name, one of the expected format is not", () => {
  assert.match(recognise(ascii("PK\x03\x04"), "safetensors")!, /zip/);
  assert.is(recognise(ascii("PK\x03\x04"), "zip"), undefined);
  assert.match(recognise(safetensorsBytes({}), "zip")!, /safetensors/);
  assert.is(recognise(safetensorsBytes({}), "safetensors"), undefined);
  assert.is(recognise(ascii('{"meta":{"total":1}}'), "json"), undefined);
  assert.is(recognise(new Uint8Array(0), "json"), undefined);
});

test.run();
