/**
 * The suites of the kernels that run on tiles, once more on optimised code from the first call on, and from Node 24 on with V8's revectorizer,
 * which rewrites exactly this code.
 */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "../../support/paths.js";

const test = suite("tiles, optimised");

const REVECTORIZES = Number(process.versions.node.split(".")[0]) >= 24 && process.arch === "x64";
const FLAGS = ["--no-liftoff", ...(REVECTORIZES ? ["--experimental-wasm-revectorize"] : [])];

for (const kernel of ["gemm", "attention"]) {
  test(`${kernel}, ${FLAGS.join(" ")}`, () => {
    const child = spawnSync(process.execPath, [...FLAGS, `${ROOT}build/test/assembly/kernels/${kernel}.test.js`], {
      encoding: "utf8",
    });
    assert.is(child.status, 0, child.stdout + child.stderr);
    assert.match(child.stdout, /Passed:\s+[1-9]\d+/);
  });
}

test.run();
