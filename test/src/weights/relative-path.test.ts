import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pathSegments } from "#dist/weights/relative-path.js";

const test = suite("weights/relative-path");

test("segments of a relative path", () => {
  assert.equal(pathSegments("config.json"), ["config.json"]);
  assert.equal(pathSegments("a b/..c/%2e%2e/ü.bin"), ["a b", "..c", "%2e%2e", "ü.bin"]);
});

test("what climbs, is absolute, or is read differently elsewhere, has none", () => {
  for (const path of ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a\\b", "..\\b", "a\0b"])
    assert.is(pathSegments(path), undefined, path);
});

test.run();
