import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "#dist/entry/load.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { directorySource, Janus } from "#dist/entry/node/index.js";
import { sensitivityOf } from "#dist/entry/node/sensitivity.js";
import { measureSensitivity, tokenCosines } from "#dist/entry/sensitivity.js";
import { golden, ROOT } from "../../support/paths.js";

const test = suite("entry/sensitivity");

const DEMO = `${ROOT}models/demo`;
const { images }: { images: string[] } = JSON.parse(readFileSync(`${DEMO}/examples/examples.json`, "utf8"))[0];
const PICTURES = images.map((name) => `${DEMO}/examples/${name}`);

test("cosines, row by row", () => {
  const a = [Float32Array.of(3, 4, 3, 4), Float32Array.of(0, 2)];
  const b = [Float32Array.of(4, 3, 3, 4), Float32Array.of(0, -1)];
  assert.equal(
    tokenCosines(a, b, 2).map((cosine) => Math.round(1e6 * cosine) / 1e6),
    [0.96, 1, -1],
  );
});

test("the demo model: everything, every block and every linear, each a little worse than nothing", async () => {
  const runs: [number, number][] = [];
  const found = await sensitivityOf(DEMO, PICTURES, { threads: 2, onRun: (done, total) => runs.push([done, total]) });
  assert.is(found.tokens, 36 * PICTURES.length);
  assert.is(found.blocks.length, 4);
  assert.equal(
    runs,
    Array.from({ length: 22 }, (_, n) => [n + 1, 22]),
  );
  for (const part of [found.all, ...found.blocks, ...found.blocks.flatMap(({ linears }) => Object.values(linears))]) {
    assert.ok(part.worst > 0.999 && part.worst < part.mean && part.mean < 1, JSON.stringify(part));
  }
  for (const { mean, linears } of found.blocks) {
    assert.ok(mean > found.all.mean, "a block costs less than all");
    for (const linear of Object.values(linears)) assert.ok(linear.mean > mean, "a linear costs less than its block");
  }
});

test("all in 8 bits is what dtype int8 gives", async () => {
  const [exact, model] = [await Janus.load(DEMO), await Janus.load(DEMO, { dtype: "int8" })];
  const pixels = await exact.preprocess(PICTURES[0]!);
  const [a, b] = [await exact.project(await exact.encode(pixels)), await model.project(await model.encode(pixels))];
  const cosines = tokenCosines([a.data], [b.data], exact.config.dim);
  await exact.dispose();
  await model.dispose();
  const source = await directorySource(DEMO);
  const { all } = await measureSensitivity(nodeHost(), await openModel(source), [pixels.data], { threads: 1 });
  await source.close();
  assert.is(all.worst, Math.min(...cosines));
});

test("an abort ends it", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const onRun = (): void => controller.abort(reason);
  const measuring = sensitivityOf(golden("checkpoints/tiny-hf"), [golden("images/china-150x100.png")], {
    signal: controller.signal,
    onRun,
  });
  assert.is(await measuring.catch((error) => error), reason);
});

test.run();
