/**
 * The suites of the kernels that run on tiles, or store neighbours side by side, once more on optimised code from the first call on and with the flags that make
 * this engine faster: V8's revectorizer rewrites exactly this code, and Node 20 runs the relaxed variants with a flag alone.
 */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { offeredFlags } from "#dist/entry/node/engine-flags.js";
import { ROOT } from "../../support/paths.js";

const test = suite("tiles, optimised");

const FLAGS = ["--no-liftoff", ...offeredFlags().map((flag) => flag.name)];

for (const kernel of [
  "multiply",
  "multiply-int8-bytes",
  "multiply-int8",
  "quantise",
  "attention",
  "finish",
  "finish-heads",
  "gelu",
  "exp",
  "layernorm",
]) {
  test(`${kernel}, ${FLAGS.join(" ")}`, () => {
    const child = spawnSync(process.execPath, [...FLAGS, `${ROOT}build/test/assembly/kernels/${kernel}.test.js`], {
      encoding: "utf8",
    });
    assert.is(child.status, 0, child.stdout + child.stderr);
    assert.match(child.stdout, /Passed:\s+[1-9]\d+/);
  });
}

test.run();
