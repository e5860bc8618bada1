import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readConfigFiles } from "#dist/weights/config-files.js";
import { MemorySource } from "../../support/memory-source.js";
import { refuses } from "../../support/refusal.js";

const test = suite("weights/config-files");

test("reads the three files, of which two may be absent", async () => {
  const files = await readConfigFiles(new MemorySource({ "config.json": "{}", "processor_config.json": "[]" }));
  const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);
  assert.equal(
    Object.entries(files).map(([name, bytes]) => [name, text(bytes)]),
    [
      ["config", "{}"],
      ["preprocessor", undefined],
      ["processor", "[]"],
    ],
  );
});

test("C01 missing file", () =>
  refuses(() => readConfigFiles(new MemorySource({})), "E_CONFIG", /config\.json: expected it in "memory"/));

test("a page, a pointer, a flood", async () => {
  const read = (text: string) => () => readConfigFiles(new MemorySource({ "config.json": text }));
  await refuses(read("<html>"), "E_CONFIG", /config\.json: expected JSON, found an HTML/);
  await refuses(read("version https://git-lfs.github.com/spec/v1\n"), "E_CONFIG", /git lfs pull/);
  await refuses(read(" ".repeat(2 ** 22 + 1)), "E_CONFIG", /at most 4194304 bytes/);
});

test.run();
