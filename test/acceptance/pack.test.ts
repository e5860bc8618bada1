/** `janus pack` and what it writes, through the command line. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { janus, temporaryFolder } from "../support/cli.js";
import { ROOT } from "../support/paths.js";

const test = suite("janus pack");

const DEMO = `${ROOT}models/demo`;
const PICTURE = `${DEMO}/examples/06.png`;
const folder = temporaryFolder();
const packed = join(folder, "packed");

test("packs, says what, and the result embeds the same bytes as the original", async () => {
  const made = await janus(["pack", "--model", DEMO, "--output", packed, "--dtype", "int8", "--json"]);
  assert.is(made.status, 0, made.stderr);
  const report = JSON.parse(made.stdout);
  assert.is(report.dtype, "int8");
  assert.equal(report.files.map(({ name }: { name: string }) => name).sort(), readdirSync(packed).sort());
  assert.ok(report.timings.total >= report.timings.pack && report.peakMemoryBytes > 0);
  const outputs: Buffer[] = [];
  for (const [model, dtype] of [
    [DEMO, "int8"],
    [packed, "auto"],
  ] as const) {
    const output = join(folder, `${dtype}.safetensors`);
    const request = ["--question", "What is on the right?", "--image", PICTURE];
    const args = ["embed", "--model", model, "--dtype", dtype, ...request, "--output", output];
    const run = await janus(dtype === "auto" ? [...args, "--verify"] : args);
    assert.is(run.status, 0, run.stderr);
    outputs.push(readFileSync(output));
  }
  assert.ok(outputs[0]?.equals(outputs[1]!));
});

test("inspect says how it lies and what it takes", async () => {
  const shown = await janus(["inspect", "--model", packed, "--verbose"]);
  assert.is(shown.status, 0, shown.stderr);
  assert.match(shown.stdout, /packed layout, safetensors, int8/);
  assert.match(shown.stdout, /patch_embed [\d.]+ MB, pos_embed [\d.]+ MB, blocks [\d.]+ MB, norm [\d.]+ MB, aligner/);
  assert.match(shown.stdout, /used {4}blocks\.0\.qkv\.weight I8 \[\d+, \d+, 8, 4\] panels8x4/);
  assert.match(shown.stdout, /\d+ used, 0 skipped/);
  assert.match(shown.stdout, /tokenizer: tokenizer\.janus\n/);
  const json = JSON.parse((await janus(["inspect", "--model", packed, "--json"])).stdout);
  const { weights, parts } = json.bytes;
  assert.is(
    Object.values<number>(parts).reduce((sum, bytes) => sum + bytes, 0),
    weights,
  );
});

test("the report: cosines by block and linear, and their summary", async () => {
  const report = join(folder, "report.json");
  const output = join(folder, "reported");
  const flags = ["--dtype", "int8", "--report", report, "--image", PICTURE, "--threads", "2"];
  const made = await janus(["pack", "--model", DEMO, "--output", output, ...flags]);
  assert.is(made.status, 0, made.stderr);
  assert.match(made.stderr, /cosine of 36 tokens to the checkpoint's own precision: worst 0\.99\d+, mean 0\.99\d+/);
  assert.match(made.stderr, /alone in 8 bits, worst: blocks\.\d\.\w+ 0\.99/);
  const found = JSON.parse(readFileSync(report, "utf8"));
  assert.equal([found.model, found.images, found.tokens, found.blocks.length], [DEMO, [PICTURE], 36, 4]);
  assert.equal(Object.keys(found.blocks[0].linears), ["qkv", "proj", "fc1", "fc2"]);
});

test("what cannot be done is said before anything is written", async () => {
  const output = join(folder, "none");
  const refusals: readonly (readonly [number, RegExp, readonly string[]])[] = [
    [2, /--report says what 8 bits cost; add --dtype int8/, ["--report", join(folder, "r"), "--image", PICTURE]],
    [2, /--report needs pictures; add --image/, ["--report", join(folder, "r"), "--dtype", "int8"]],
    [2, /--image is for --report/, ["--image", PICTURE]],
    [2, /--shard-size.*expected bytes/, ["--shard-size", "12 apples"]],
    [2, /expected a shard size of more than \d+ bytes, which "patch_embed" takes, got 1000/, ["--shard-size", "1KB"]],
    [2, /--dtype/, ["--dtype", "int4"]],
  ];
  for (const [status, message, flags] of refusals) {
    const run = await janus(["pack", "--model", DEMO, "--output", output, ...flags]);
    assert.is(run.status, status, `${flags}: ${run.stderr}`);
    assert.match(run.stderr, message);
    assert.is(run.stderr.trimEnd().split("\n").length, 1, run.stderr);
    assert.not.ok(existsSync(output));
  }
  const onto = await janus(["pack", "--model", packed, "--output", packed, "--force"]);
  assert.equal([onto.status, /is the input/.test(onto.stderr)], [2, true], onto.stderr);
});

test("--force replaces an earlier packing and nothing else", async () => {
  const again = await janus(["pack", "--model", DEMO, "--output", packed]);
  assert.equal([again.status, /exists/.test(again.stderr)], [2, true], again.stderr);
  assert.is((await janus(["pack", "--model", DEMO, "--output", packed, "--force"])).status, 0);
  const foreign = join(folder, "foreign");
  mkdirSync(foreign);
  writeFileSync(join(foreign, "thesis.txt"), "ten years");
  const over = await janus(["pack", "--model", DEMO, "--output", foreign, "--force"]);
  assert.equal([over.status, /thesis\.txt/.test(over.stderr)], [2, true], over.stderr);
  assert.equal(readdirSync(foreign), ["thesis.txt"]);
});

test.run();
