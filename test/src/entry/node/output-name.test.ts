import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatOfName, rowNames } from "#dist/entry/node/output-name.js";
import { refusedNow } from "../../../support/refusal.js";

const test = suite("entry/node/output-name");

test("the extension says the format, in capitals too; none is safetensors", () => {
  for (const [path, format] of [
    ["out.safetensors", "safetensors"],
    ["a/b.c/out", "safetensors"],
    ["out.0.npy", "npy"],
    ["out.PT", "pt"],
    [".pt", "safetensors"],
    ["-.npy", "npy"],
  ] as const) {
    assert.is(formatOfName(path), format, path);
  }
});

test("another extension is refused with what would do", () => {
  for (const path of ["out.txt", "out.npz", "out.bin", "out.pt.", "out.safetensors.gz", "a.\n\u001b[31m"]) {
    refusedNow(
      () => formatOfName(path),
      "E_USAGE",
      /expected a name that ends with \.safetensors, \.npy or \.pt, got "\./,
    );
  }
});

test("rows are counted before the extension, one alone is not", () => {
  assert.equal(rowNames("a.b/name.pt", 1), ["a.b/name.pt"]);
  assert.equal(rowNames("a.b/name.pt", 3), ["a.b/name.0.pt", "a.b/name.1.pt", "a.b/name.2.pt"]);
  assert.equal(rowNames("name.0.NPY", 2), ["name.0.0.NPY", "name.0.1.NPY"]);
  assert.equal(rowNames("name.pt", 0), []);
});

test.run();
