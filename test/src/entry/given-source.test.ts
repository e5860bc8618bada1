import { suite } from "uvu";
import * as assert from "uvu/assert";
import { givenSource } from "#dist/entry/given-source.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("entry/given-source");

test("files by path are what the first of them is", async () => {
  const bytes = new Uint8Array(3);
  for (const [model, label] of [
    [{ a: bytes }, "memory"],
    [new Map([["a", bytes.buffer]]), "memory"],
    [{ a: new Blob([bytes]) }, "files"],
    [new Map([["a", new Blob([bytes])]]), "files"],
    [[new File([bytes], "a")], "files"],
    // A checkpoint may have files of any name.
    [
      new Map([
        ["a", bytes],
        ["size", bytes],
        ["read", bytes],
      ]),
      "memory",
    ],
    [{ a: bytes, size: bytes, read: bytes }, "memory"],
  ] as const) {
    const source = givenSource(model);
    assert.is(source.label, label);
    assert.is(await source.size("a"), 3);
    assert.equal(await source.read("a", 0, 3), bytes);
    await source.close();
  }
});

test("what is none of it, is mixed, or is empty", () => {
  for (const wrong of [
    undefined,
    null,
    5,
    true,
    {},
    [],
    new Map(),
    { a: "x" },
    ["x"],
    { size: async () => 0 },
    Symbol("x"),
  ])
    refusedNow(
      () => givenSource(wrong),
      "E_USAGE",
      /^opening a model: expected a directory, a URL, a hub id, files by path or/,
    );
  const file = new Uint8Array(50_000_000);
  for (const alone of [file, file.buffer, new Blob([])])
    refusedNow(() => givenSource(alone), "E_USAGE", /got one file without its path$/);
  const blob = new Blob([]);
  for (const mixed of [
    { a: blob, b: file },
    new Map<string, unknown>([
      ["a", file],
      ["b", blob],
    ]),
  ])
    refusedNow(() => givenSource(mixed), "E_USAGE", /^opening files: expected/);
});

test.run();
