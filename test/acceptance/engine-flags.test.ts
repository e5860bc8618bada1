/**
 * The goldens with the flags that make this engine faster, on optimised code from the first call on: a flag rewrites that code. In child processes,
 * because a flag is its process's.
 */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { offeredFlags } from "#dist/entry/node/engine-flags.js";
import { ROOT } from "../support/paths.js";

const test = suite("goldens with engine flags");

const FLAGS = ["--no-liftoff", ...offeredFlags().map((flag) => flag.name)];

for (const name of ["cases", "determinism", "fuse", "tiles"]) {
  test(`${name}, ${FLAGS.join(" ")}`, () => {
    const child = spawnSync(process.execPath, [...FLAGS, `${ROOT}build/test/acceptance/${name}.test.js`], {
      encoding: "utf8",
    });
    assert.is(child.status, 0, child.stdout + child.stderr);
    assert.match(child.stdout, /Passed:\s+[1-9]/);
  });
}

test.run();
