import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "#dist/entry/node/make-folder.js";
import { inScratch } from "../../../support/scratch.js";
import { rejection } from "../../../support/waiting.js";

const test = suite("entry/node/make-folder");

test("a folder and those above it; one that is there is as good", () =>
  inScratch(async (folder) => {
    const path = join(folder, "a/b/c");
    for (let times = 0; times < 2; times++) await makeFolder(path);
    assert.ok(statSync(path).isDirectory());
  }));

test("what is in the way is said", () =>
  inScratch(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    const error = (await rejection(makeFolder(join(folder, "file/a/b")))) as NodeJS.ErrnoException;
    assert.match(error.code!, /ENOTDIR|EEXIST/);
  }));

test.run();
