import { suite } from "uvu";
import * as assert from "uvu/assert";
import { contentOf, digestOf, parseRecord, placeOf, recordText } from "#dist/entry/weight-store.js";

const test = suite("entry/weight-store");

const SHA256 = "ab".repeat(32);
const SHA1 = "cd".repeat(20);

test("a record is read as it was written, of its own path alone", () => {
  for (const file of [
    { size: 0, etag: undefined },
    { size: Number.MAX_SAFE_INTEGER, etag: 'with "quotes"\n and a line', sha256: SHA256, commit: SHA1 },
  ]) {
    const text = recordText("model.safetensors", file)!;
    const { size, etag, sha256, commit } = { sha256: undefined, commit: undefined, ...file };
    const read = parseRecord("model.safetensors", text)!;
    assert.equal([read.size, read.etag, read.sha256, read.commit], [size, etag, sha256, commit]);
    assert.is(parseRecord("other.safetensors", text), undefined);
  }
});

test("a text that is damaged, or no record, is none", () => {
  const good = recordText("p", { size: 5, etag: "e" })!;
  assert.ok(parseRecord("p", good));
  for (let length = 0; length < good.length; length++)
    assert.is(parseRecord("p", good.slice(0, length)), undefined, good.slice(0, length));
  for (const size of ['"5"', "-1", "0.5", "1e300", "null", "[]"])
    assert.is(parseRecord("p", good.replace(":5", `:${size}`)), undefined, size);
  for (const text of ["null", "[]", "5", '"p"', good.replace('"e"', "7"), good.replace('"e"', "{}")])
    assert.is(parseRecord("p", text), undefined, text);
});

test("what is longer than records are is not written", () => {
  assert.is(recordText("p".repeat(70_000), { size: 1, etag: "e" }), undefined);
  assert.is(recordText("p", { size: 1, etag: "e".repeat(70_000) }), undefined);
});

test("a content is named by its digest, or else by its ETag; only what looks like a digest is one", () => {
  assert.is(contentOf({ size: 1, etag: "e" }), "e");
  assert.is(contentOf({ size: 1, etag: "e", sha256: SHA256 }), SHA256);
  assert.is(contentOf({ size: 1, etag: undefined }), undefined);
  for (const digest of [SHA1, SHA256]) assert.is(digestOf({ size: 1, etag: digest }), digest);
  for (const etag of [undefined, "", `${SHA1}0`, SHA256.slice(1), SHA1.toUpperCase(), `${SHA1.slice(7)}-7`])
    assert.is(digestOf({ size: 1, etag }), undefined);
});

test("a place has neither a password nor a signature in its name, and one slash at its end", () => {
  for (const url of [
    "https://host/a/b",
    "https://host/a/b/",
    "https://host/a/b//",
    "https://user:password@host/a/b?Signature=1#there",
  ])
    assert.is(placeOf(url), "https://host/a/b/", url);
  assert.is.not(placeOf("https://host:8443/a"), placeOf("https://host/a"));
});

test.run();
