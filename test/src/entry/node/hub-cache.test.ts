import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HubCache } from "#dist/entry/node/hub-cache.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/hub-cache");

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const OTHER = "f".repeat(40);

test("refs: a revision is the commit that it was last", () =>
  inScratch(async (root) => {
    const cache = new HubCache(root, "owner/name");
    assert.is(cache.path, join(root, "models--owner--name"));
    assert.is(await cache.commitOf("main"), undefined);
    await cache.writeRef("main", COMMIT);
    await cache.writeRef("refs/pr/1", OTHER);
    await cache.writeRef(COMMIT, COMMIT);
    assert.is(await cache.commitOf("main"), COMMIT);
    assert.is(await cache.commitOf("refs/pr/1"), OTHER);
    assert.is(await cache.commitOf(OTHER), OTHER, "a commit is itself");
    assert.is(readFileSync(join(cache.path, "refs/main"), "utf8"), COMMIT, "without a line end, as Python compares it");
    assert.equal(readdirSync(join(cache.path, "refs")).sort(), ["main", "refs"]);
    await cache.writeRef("main", OTHER);
    assert.is(await cache.commitOf("main"), OTHER);
    for (const text of ["", "main", "../../etc", COMMIT.slice(1)]) {
      writeFileSync(join(cache.path, "refs/main"), text);
      assert.is(await cache.commitOf("main"), undefined, text);
    }
  }));

test("what a commit has not", () =>
  inScratch(async (root) => {
    const cache = new HubCache(root, "owner/name");
    assert.not(await cache.lacks(COMMIT, "a/b.json"));
    await cache.writeAbsence(COMMIT, "a/b.json");
    assert.ok(await cache.lacks(COMMIT, "a/b.json"));
    assert.not(await cache.lacks(OTHER, "a/b.json"));
    assert.is(lstatSync(join(cache.path, ".no_exist", COMMIT, "a/b.json")).size, 0);
    for (let times = 0; times < 2; times++) await cache.forgetAbsence(COMMIT, "a/b.json");
    assert.not(await cache.lacks(COMMIT, "a/b.json"));
  }));

test("a file of a snapshot is a relative link to its blob, however deep, and through a linked cache", () =>
  inScratch(async (root) => {
    mkdirSync(join(root, "real"));
    symlinkSync(join(root, "real"), join(root, "cache"));
    const cache = new HubCache(join(root, "cache"), "owner/name");
    const blob = cache.blob(COMMIT);
    mkdirSync(join(cache.path, "blobs"), { recursive: true });
    writeFileSync(blob, "content");
    for (const path of ["config.json", "sub/folder/x.json"]) {
      await cache.link(COMMIT, path, blob);
      const pointer = join(cache.snapshot(COMMIT), path);
      assert.is(readFileSync(pointer, "utf8"), "content");
      assert.match(readlinkSync(pointer), /^(\.\.\/)+blobs\/0123456789/);
    }
    assert.equal(readdirSync(cache.snapshot(COMMIT)).sort(), ["config.json", "sub"]);
  }));

test("a link that leads nowhere, and another one, are replaced", () =>
  inScratch(async (root) => {
    const cache = new HubCache(root, "owner/name");
    const pointer = join(cache.snapshot(COMMIT), "config.json");
    mkdirSync(cache.snapshot(COMMIT), { recursive: true });
    mkdirSync(join(cache.path, "blobs"));
    symlinkSync("../../blobs/none", pointer);
    for (const name of ["a", "b"]) {
      writeFileSync(cache.blob(name), name);
      await cache.link(COMMIT, "config.json", cache.blob(name));
      assert.is(readFileSync(pointer, "utf8"), name);
    }
  }));

test.run();
