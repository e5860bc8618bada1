import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type OutputFile, writeDirectoryAtomically } from "#dist/entry/node/output-directory.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/output-directory");
const file = (name: string, content: string): OutputFile => ({ name, chunks: [new TextEncoder().encode(content)] });
const files = (content: string) => [file("a.json", content), file("b.safetensors", `${content}${content}`)];
const content = (path: string) => readdirSync(path).map((name) => [name, readFileSync(join(path, name), "utf8")]);

test("writes every file, under a name with a slash at the end too", () =>
  inScratch(async (folder) => {
    await writeDirectoryAtomically(join(folder, "out/"), files("x"), { expectedBytes: 3 });
    assert.equal(content(join(folder, "out")), [
      ["a.json", "x"],
      ["b.safetensors", "xx"],
    ]);
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("L06: an existing folder, empty or not, is E_USAGE without force and replaced whole with it", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    mkdirSync(path);
    await refused(writeDirectoryAtomically(path, files("x")), "E_USAGE", /exists.*--force/);
    await writeDirectoryAtomically(path, [...files("x"), file("c.json", "c")], { force: true });
    await refused(writeDirectoryAtomically(path, files("y")), "E_USAGE", /exists.*--force/);
    await refused(writeDirectoryAtomically(path, files("y"), { force: true }), "E_USAGE", /"c\.json".*lose/);
    assert.is(readFileSync(join(path, "a.json"), "utf8"), "x");
    await writeDirectoryAtomically(path, [...files("y"), file("c.json", "c")], { force: true });
    assert.is(readFileSync(join(path, "a.json"), "utf8"), "y");
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("force never removes folders that hold anything else, files or links", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    mkdirSync(path);
    mkdirSync(join(path, "a.json"));
    await refused(writeDirectoryAtomically(path, files("x"), { force: true }), "E_USAGE", /"a\.json".*lose/);
    writeFileSync(join(folder, "file"), "file");
    symlinkSync("out", join(folder, "link"));
    for (const name of ["file", "link"]) {
      await refused(writeDirectoryAtomically(join(folder, name), files("x")), "E_USAGE", /exists/);
      await refused(writeDirectoryAtomically(join(folder, name), files("x"), { force: true }), "E_USAGE", /a file/);
    }
    await refused(writeDirectoryAtomically("", files("x"), { force: true }), "E_USAGE", /name a folder/);
    assert.equal(readdirSync(folder).sort(), ["file", "link", "out"]);
  }));

test("what appears while building survives", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    const appearing = (appear: () => void): OutputFile => ({
      name: "a.json",
      chunks: (function* () {
        yield new Uint8Array(1);
        appear();
      })(),
    });
    const asFile = appearing(() => writeFileSync(path, "theirs"));
    await refused(writeDirectoryAtomically(path, [asFile]), "E_USAGE", /exists/);
    assert.is(readFileSync(path, "utf8"), "theirs");
    const other = join(folder, "other");
    const asFolder = appearing(() => {
      mkdirSync(other);
      writeFileSync(join(other, "theirs"), "");
    });
    await refused(writeDirectoryAtomically(other, [asFolder]), "E_USAGE", /exists/);
    const forced = appearing(() => {});
    await refused(writeDirectoryAtomically(other, [forced], { force: true }), "E_USAGE", /"theirs"/);
    assert.equal(readdirSync(other), ["theirs"]);
    assert.equal(readdirSync(folder).sort(), ["other", "out"]);
  }));

test("a file that appears in the folder being replaced is not lost", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    await writeDirectoryAtomically(path, files("x"));
    const late: OutputFile = {
      name: "a.json",
      chunks: (function* () {
        yield new Uint8Array(1);
        writeFileSync(join(path, "precious"), "kept");
      })(),
    };
    await refused(
      writeDirectoryAtomically(path, [late, file("b.safetensors", "")], { force: true }),
      "E_USAGE",
      /"precious".*lose/,
    );
    assert.equal(content(path), [
      ["a.json", "x"],
      ["b.safetensors", "xx"],
      ["precious", "kept"],
    ]);
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("a failing last rename brings the earlier folder back", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    await writeDirectoryAtomically(path, files("x"));
    const { rename } = fs;
    let calls = 0;
    fs.rename = (from, to) => {
      calls++;
      return calls === 2 ? Promise.reject(Object.assign(new Error("EIO: made up"), { code: "EIO" })) : rename(from, to);
    };
    syncBuiltinESMExports();
    try {
      const error = await refused(writeDirectoryAtomically(path, files("y"), { force: true }), "E_IO", /EIO/);
      assert.is(error.origin, "output");
    } finally {
      fs.rename = rename;
      syncBuiltinESMExports();
    }
    assert.is(calls, 3);
    assert.is(readFileSync(join(path, "a.json"), "utf8"), "x");
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("an abort or an error while building leaves nothing; with force the earlier folder stays", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    const controller = new AbortController();
    const reason = new Error("stopped");
    const aborting: OutputFile = {
      name: "b.safetensors",
      chunks: (function* () {
        yield new Uint8Array(1);
        controller.abort(reason);
        yield new Uint8Array(1);
      })(),
    };
    const options = { signal: controller.signal };
    const caught = await writeDirectoryAtomically(path, [file("a.json", "x"), aborting], options).catch((e) => e);
    assert.is(caught, reason);
    assert.equal(readdirSync(folder), []);
    await writeDirectoryAtomically(path, files("x"));
    const broken: OutputFile = {
      name: "b.safetensors",
      // biome-ignore lint/correctness/useYield: a source that breaks before its first chunk
      chunks: (function* (): Generator<Uint8Array> {
        throw reason;
      })(),
    };
    const thrown = await writeDirectoryAtomically(path, [broken], { force: true }).catch((e) => e);
    assert.is(thrown.code, "E_USAGE", "a.json is not among the names");
    const again = await writeDirectoryAtomically(path, [file("a.json", "y"), broken], { force: true }).catch((e) => e);
    assert.is(again, reason);
    assert.is(readFileSync(join(path, "a.json"), "utf8"), "x");
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("L05: a missing parent and a full disk are E_IO of the output", () =>
  inScratch(async (folder) => {
    const missing = await refused(
      writeDirectoryAtomically(join(folder, "no/out"), files("x")),
      "E_IO",
      /does not exist/,
    );
    assert.is(missing.origin, "output");
    const full = await refused(
      writeDirectoryAtomically(join(folder, "out"), files("x"), { expectedBytes: 2 ** 60 }),
      "E_IO",
      /are free/,
    );
    assert.is(full.origin, "output");
    assert.equal(readdirSync(folder), []);
  }));

test.run();
