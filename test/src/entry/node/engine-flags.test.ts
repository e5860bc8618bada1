import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { flagsInForce, offeredFlags } from "#dist/entry/node/engine-flags.js";
import { variantBytes } from "../../../support/kernels.js";
import { ROOT } from "../../../support/paths.js";

const test = suite("engine flags of Node");

const MAJOR = Number(process.versions.node.split(".")[0]);
const REVECTORIZE = "--experimental-wasm-revectorize";
const RELAXED = "--experimental-wasm-relaxed-simd";
const EXPECTED = [...(MAJOR >= 24 && process.arch === "x64" ? [REVECTORIZE] : []), ...(MAJOR === 20 ? [RELAXED] : [])];

test("what is worth a trial on this version", () => {
  const names = offeredFlags().map((flag) => flag.name);
  assert.equal(names, EXPECTED);
});

test("set and taken back: in force, and no longer offered", () => {
  const before = flagsInForce();
  for (const flag of offeredFlags()) {
    flag.set(true);
    assert.equal(flagsInForce(), [...before, flag.name]);
    assert.not.ok(offeredFlags().some(({ name }) => name === flag.name));
    if (flag.name === RELAXED) assert.ok(WebAssembly.validate(variantBytes("relaxed")));
    flag.set(false);
    assert.equal(flagsInForce(), before);
    if (flag.name === RELAXED) assert.not.ok(WebAssembly.validate(variantBytes("relaxed")));
  }
  assert.is(offeredFlags().length, EXPECTED.length);
});

test("given on the command line, however it is spelled, or refused there: not offered", () => {
  const spellings = [
    (flag: string) => flag,
    (flag: string) => `--${flag.slice(2).replaceAll("-", "_")}`,
    (flag: string) => flag.replace(/^--/, "--no-"),
    (flag: string) => flag.replace(/^--/, "--no").replaceAll("-wasm-", "_wasm_"),
  ];
  for (const spelled of spellings) checkGiven(EXPECTED.map(spelled));
});

function checkGiven(flags: readonly string[]): void {
  const script = `import { flagsInForce, offeredFlags } from "${new URL(`file://${ROOT}dist/entry/node/engine-flags.js`)}";
    console.log(JSON.stringify([flagsInForce(), offeredFlags().map((flag) => flag.name)]));`;
  const child = spawnSync(process.execPath, [...flags, "--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(JSON.parse(child.stdout || child.stderr), [flags, []]);
}

test.run();
