import { openAsBlob, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blobSource } from "#dist/weights/blob-source.js";
import { refused, refusedNow } from "../../support/refusal.js";
import { inScratch } from "../../support/scratch.js";
import { rejection } from "../../support/waiting.js";

const test = suite("weights/blob-source");

/** A File as a browser gives it for a directory that was picked. */
function picked(path: string, content: string): File {
  const file = new File([content], path.split("/").at(-1) ?? "");
  return Object.defineProperty(file, "webkitRelativePath", { value: path });
}

test("a map, an object, a list of files, and a directory that was picked", async () => {
  const blob = new Blob(["0123456789"]);
  const list = [new File(["0123456789"], "a.bin")];
  const directory = [picked("Janus/a.bin", "0123456789"), picked("Janus/sub/b", "x"), picked("Janus/c", "")];
  const fileList = Object.assign({}, directory, { length: 3 });
  for (const [files, label] of [
    [new Map([["a.bin", blob]]), "files"],
    [{ "a.bin": blob }, "files"],
    [list, "files"],
    [directory, "Janus"],
    [fileList, "Janus"],
    [new Set(directory), "Janus"],
  ] as const) {
    const source = blobSource(files);
    assert.is(source.label, label);
    assert.is(await source.size("a.bin"), 10);
    assert.is(await source.size("none"), undefined);
    assert.equal(await source.read("a.bin", 3, 4), new TextEncoder().encode("3456"));
    const target = new Uint8Array(new SharedArrayBuffer(2));
    await source.readInto?.("a.bin", 8, target);
    assert.equal([...target], [56, 57]);
    if (label === "Janus") assert.is(await source.size("sub/b"), 1);
  }
});

test("reads beyond a file, and of one that is not there", async () => {
  const source = blobSource({ a: new Blob(["0123"]) });
  for (const [offset, length] of [
    [4, 1],
    [-1, 1],
    [0, 5],
    [Number.NaN, 0],
  ] as const)
    await refused(source.read("a", offset, length), "E_IO", /^reading "a": expected .* found a file of 4/);
  await refused(source.read("b", 0, 1), "E_IO", /expected a file in "files", found none/);
  assert.is(await rejection(source.read("a", 0, 1, AbortSignal.abort("stopped"))), "stopped");
  assert.is(await rejection(source.size("a", AbortSignal.abort("stopped"))), "stopped");
});

test("a file that is changed after it was picked is E_IO, never other bytes", () =>
  inScratch(async (folder) => {
    const path = join(folder, "a");
    writeFileSync(path, "0123456789");
    const source = blobSource({ a: await openAsBlob(path) });
    assert.equal(await source.read("a", 0, 2), new TextEncoder().encode("01"));
    writeFileSync(path, "abc");
    await refused(
      source.read("a", 0, 2),
      "E_IO",
      /found NotReadableError; was it changed or moved since it was picked/,
    );
  }));

test("what is not a Blob, has no name, or is there twice", () => {
  const blob = new Blob([]);
  for (const wrong of [{ a: "text" }, new Map([["a", new Uint8Array(1)]]), [new Uint8Array(1)], { a: blob, b: 5 }])
    refusedNow(() => blobSource(wrong as never), "E_USAGE", /^opening files: expected Blobs or Files by path/);
  refusedNow(() => blobSource([blob] as never), "E_USAGE", /expected Files in a list, which have names/);
  refusedNow(() => blobSource([new File([], "a"), new File([], "a")]), "E_USAGE", /every file once, got "a" twice/);
});

test.run();
