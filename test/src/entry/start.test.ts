import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LoadOptions, ProgressEvent } from "#dist/entry/options.js";
import { startModel } from "#dist/entry/start.js";
import { VARIANTS } from "#dist/wasm/variants.js";
import { recordedFiles, withJson } from "../../support/checkpoint-files.js";
import { RELAXED_EXPECTED } from "../../support/engine.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { golden } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";
import { watchedHost } from "../../support/watched-host.js";

const test = suite("entry/start");

const TINY = golden("checkpoints/tiny-hf");
const NOTHING = { sources: 0, workers: 0, tokenizers: 0 };

test("runtime says what runs, and why", async () => {
  for (const [options, variant, threads] of [
    [{ variant: "simd", threads: 1 }, "simd", 1],
    [{ variant: "simd", threads: 3 }, "simd-threads", 3],
    [{ variant: "auto", threads: 2 }, RELAXED_EXPECTED ? undefined : "simd-threads", 2],
  ] as const) {
    const host = watchedHost();
    const { engine, runtime, close, model } = await startModel(host, TINY, options);
    assert.is(engine.threads, threads);
    assert.is(runtime.threads, threads);
    if (variant) assert.is(runtime.variant, variant);
    assert.ok(VARIANTS.includes(runtime.variant));
    assert.is(runtime.dtype, "bf16");
    assert.match(runtime.engine, process.versions.node);
    assert.is(runtime.fma, runtime.variant.startsWith("relaxed"));
    assert.ok(runtime.weightBytes > 0);
    for (const warning of model.config.warnings) assert.ok(runtime.notes.includes(warning));
    await engine.dispose();
    await close();
    assert.equal(host.held(), NOTHING);
  }
});

test("threads auto is one for a small model, whatever the host grants", async () => {
  const watched = watchedHost();
  const host = { ...watched, availableThreads: () => 2 };
  const { engine, runtime, close } = await startModel(host, TINY, {});
  assert.is(runtime.threads, 1);
  assert.is(watched.held().workers, 1);
  await engine.dispose();
  await close();
});

test("a prompt is expected of a small model, and the host is left when loading fails", async () => {
  const host = watchedHost();
  const { engine, close } = await startModel(host, TINY, { threads: 1 });
  assert.is(host.events.filter((event) => event === "expect").length, 1);
  await engine.dispose();
  await close();
  const failing = watchedHost();
  const onProgress = ({ status }: ProgressEvent): void => {
    if (status === "done") throw new Error("mine");
  };
  await rejection(startModel(failing, TINY, { threads: 1, onProgress }));
  assert.is(failing.events.at(-1), "dispose");
});

test("progress: initiate, ever more of the total, done, ready", async () => {
  const events: ProgressEvent[] = [];
  const onProgress = (event: ProgressEvent): number => events.push(event);
  const { engine, close } = await startModel(watchedHost(), TINY, { threads: 1, onProgress });
  assert.equal(events[0], { status: "initiate", file: TINY });
  assert.equal(events.slice(-2), [{ status: "done", file: TINY }, { status: "ready" }]);
  const progress = events.slice(1, -2);
  assert.ok(progress.length > 10);
  let before = 0;
  for (const event of progress) {
    if (event.status !== "progress") throw new Error(event.status);
    assert.ok(event.loaded > before && event.loaded <= event.total);
    assert.is(event.progress, (100 * event.loaded) / event.total);
    before = event.loaded;
  }
  const last = progress.at(-1);
  assert.ok(last?.status === "progress" && last.loaded === last.total, "all of it, the token table left out");
  await engine.dispose();
  await close();
});

test("a bad option is refused before anything is opened", async () => {
  const host = watchedHost();
  await refused(startModel(host, TINY, { threads: 0 }), "E_USAGE", /threads/);
  assert.equal(host.events, []);
});

const files = recordedFiles("tiny-orig-safetensors");

/** 40 blocks, where the weights have three. */
const DEEPER = withJson(files, "config.json", (config) => {
  const { params } = config["vision_config"] as { params: Record<string, unknown> };
  Object.assign(params, { layers: 40 });
});

for (const [what, model, options, code] of [
  ["a directory that is not there", golden("no-such"), {}, "E_IO"],
  ["a directory without a checkpoint", golden("cases"), {}, "E_CONFIG"],
  ["weights that are not those of the configuration", memorySource(DEEPER), {}, "E_FORMAT"],
  [
    "a file that is cut short",
    memorySource({ ...files, "model.safetensors": files["model.safetensors"]!.slice(0, -1) }),
    {},
    "E_FORMAT",
  ],
] as const) {
  test(`${what}: ${code}, and nothing is left`, async () => {
    const host = watchedHost();
    await refused(startModel(host, model, options as LoadOptions), code, /./);
    assert.equal(host.held(), NOTHING);
    assert.not.ok(host.events.includes("start"), "no worker was started");
  });
}

test("an engine that does not run the variant: nothing is left", async () => {
  const host = watchedHost();
  const broken = { ...host, binary: async () => new Uint8Array(8) };
  await refused(startModel(broken, TINY, { variant: "simd", threads: 2 }), "E_UNSUPPORTED", /cannot run/);
  assert.equal(host.held(), NOTHING);
});

test("an onProgress that throws ends the load with its error", async () => {
  for (const when of ["initiate", "progress", "done", "ready"]) {
    const host = watchedHost();
    const mine = new Error("mine");
    const onProgress = ({ status }: ProgressEvent): void => {
      if (status === when) throw mine;
    };
    assert.is(await rejection(startModel(host, TINY, { threads: 2, onProgress })), mine, when);
    assert.equal(host.held(), NOTHING, when);
  }
});

test("a source that fails while weights are read: its error, and nothing is left", async () => {
  const broken = new Error("the disk broke");
  for (const count of [1, 3, 7, 20, 30]) {
    const host = watchedHost();
    const source = memorySource(files);
    let reads = 0;
    const failing = {
      ...source,
      read: async (...rest: Parameters<typeof source.read>) => {
        if (++reads === count) throw broken;
        return source.read(...rest);
      },
    };
    assert.is(await rejection(startModel(host, failing, { threads: 2 })), broken, `read ${count}`);
    assert.equal(host.held(), NOTHING, `read ${count}`);
  }
});

test.run();
