/** The engine over real workers: results by type, what is given away, the same bytes with any number of threads. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Engine } from "#dist/entry/engine.js";
import { openModel, planMemory } from "#dist/entry/load.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { probe, tilesOf } from "#dist/entry/variant.js";
import { loadWeights } from "#dist/entry/weights.js";
import { STORAGE } from "#dist/wasm/abi.js";
import { variantOf } from "#dist/wasm/variants.js";
import { recordedFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { refused } from "../../support/refusal.js";
import { rejection, within } from "../../support/waiting.js";

const test = suite("entry/engine");

const host = nodeHost();
const model = await openModel(memorySource(recordedFiles("tiny-hf")));
const { imageSize, tokens, width, dim } = model.config;

async function withEngine(threads: number, work: (engine: Engine) => Promise<void>): Promise<void> {
  const { module } = await probe(host, variantOf("simd", threads > 1));
  if (!module) throw new Error("the plain variants run everywhere");
  const plan = planMemory(model, "auto", threads);
  const { startWorker } = host;
  const engine = await Engine.start({
    module,
    threads,
    config: model.config,
    plan,
    tiles: tilesOf("simd", "absent"),
    startWorker,
  });
  try {
    await loadWeights(engine, model.checkpoint, model.bound, plan.placements, () => {});
    await work(engine);
  } finally {
    await engine.dispose();
  }
}

/** Everything an engine can be asked, as one list of arrays. */
async function everything(engine: Engine): Promise<Float32Array[]> {
  const bytes = (): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: 70 * 50 * 3 }, (_, i) => (i * 7) % 256);
  const picture = { width: 70, height: 50, data: bytes() };
  const pixels = await engine.preprocess(picture);
  assert.is(picture.data.length, 0, "the picture was given away");
  const { features, stages } = await engine.encode(pixels, true);
  const square = await engine.square({ width: 70, height: 50, data: bytes() });
  assertSameBits((await engine.encode(square, false)).features, features);
  assert.is(square.data.length, 0, "the square was given away");
  const embeds = await engine.project(features);
  const rows = 9;
  const table = Uint16Array.from({ length: 3 * dim }, (_, i) => 0x3f80 + (i % 100));
  const own = { table: new Uint8Array(table.buffer), index: Int32Array.from({ length: rows }, (_, i) => i % 3) };
  const text = await engine.embedTokens({ rows, distinct: 3, storage: STORAGE.bf16 }, own);
  assert.is(text.bad, 0);
  const source = { text: text.embeds.slice(), source: embeds.slice(0, 2 * dim), index: Int32Array.from([1, 5]) };
  const fused = await engine.fuse({ rows, sources: 2 }, source);
  return [pixels, features, ...stages.map(([, data]) => data), embeds, text.embeds, fused];
}

const seen: string[] = [];

for (const threads of [1, 2, 3]) {
  test(`${threads} threads: shapes, ordinary memory, and the bytes of one thread`, () =>
    withEngine(threads, async (engine) => {
      assert.is(engine.threads, threads);
      const arrays = await everything(engine);
      assert.equal(
        arrays.map(({ length }) => length),
        [3 * imageSize ** 2, ...Array(2 + model.config.blocks).fill(tokens * width), tokens * dim, 9 * dim, 9 * dim],
      );
      for (const { buffer, byteLength } of arrays) {
        assert.ok(buffer instanceof ArrayBuffer && buffer.byteLength === byteLength);
      }
      seen.push(arrays.map((array) => Buffer.from(array.buffer).toString("hex")).join());
      assert.is(seen.at(-1), seen[0]);
    }));

  test(`${threads} threads: pixels and features stay the caller's, a view takes nothing else along`, () =>
    withEngine(threads, async (engine) => {
      const many = random(5 * 3 * imageSize ** 2, 1);
      const one = many.subarray(3 * imageSize ** 2, 2 * 3 * imageSize ** 2);
      const first = await engine.encode(one, false);
      assert.is(many.length, 5 * 3 * imageSize ** 2);
      assertSameBits((await engine.encode(one.slice(), false)).features, first.features);
      await engine.project(first.features);
      assert.is(first.features.length, tokens * width);
    }));

  test(`${threads} threads: elements that are not finite are counted over all workers`, () =>
    withEngine(threads, async (engine) => {
      const rows = 40;
      const table = new Uint16Array(rows * dim);
      for (let row = 0; row < rows; row++) table[row * dim + row] = 0x7f80;
      const own = { table: new Uint8Array(table.buffer), index: new Int32Array(1) };
      const { bad } = await engine.embedTokens({ rows: 1, distinct: rows, storage: STORAGE.bf16 }, own);
      assert.is(bad, rows);
    }));

  test(`${threads} threads: what does not fit in memory is E_OOM, and the engine goes on`, () =>
    withEngine(threads, async (engine) => {
      const huge = { width: 60_000, height: 60_000, data: new Uint8Array(3) };
      await refused(engine.preprocess(huge), "E_OOM", /bytes needed, but a WebAssembly memory ends at/);
      const controller = new AbortController();
      controller.abort("enough");
      assert.is(await rejection(engine.encode(random(3 * imageSize ** 2, 1), false, controller.signal)), "enough");
      assert.is((await everything(engine)).length, 6 + model.config.blocks);
    }));
}

test("without shared memory weights come with messages, and give the same bytes", async () => {
  const { SharedArrayBuffer: kept } = globalThis;
  Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
  try {
    await withEngine(1, async (engine) => {
      const hex = (await everything(engine)).map((array) => Buffer.from(array.buffer).toString("hex"));
      assert.is(hex.join(), seen[0]);
    });
  } finally {
    globalThis.SharedArrayBuffer = kept;
  }
});

for (const threads of [1, 2]) {
  test(`${threads} threads: a source that breaks off, and an abort, end the load while workers wait`, async () => {
    const { module } = await probe(host, variantOf("simd", threads > 1));
    if (!module) throw new Error("the plain variants run everywhere");
    const plan = planMemory(model, "auto", threads);
    const { startWorker } = host;
    const options = {
      module,
      threads,
      config: model.config,
      plan,
      tiles: tilesOf("simd", "absent"),
      startWorker,
    } as const;
    for (const aborts of [false, true]) {
      const engine = await Engine.start(options);
      const controller = new AbortController();
      const broken = new Error("the disk broke");
      const checkpoint = {
        ...model.checkpoint,
        readRowsInto: async () => {
          if (!aborts) throw broken;
          controller.abort("enough");
          controller.signal.throwIfAborted();
        },
      };
      const loading = loadWeights(engine, checkpoint, model.bound, plan.placements, () => {}, controller.signal);
      assert.is(await within(2000, rejection(loading), "the load"), aborts ? "enough" : broken);
      await loadWeights(engine, model.checkpoint, model.bound, plan.placements, () => {});
      assert.is((await everything(engine)).length, 6 + model.config.blocks);
      await engine.dispose();
    }
  });
}

test("a disposed engine is E_DISPOSED", async () => {
  let kept: Engine | undefined;
  await withEngine(2, async (engine) => {
    kept = engine;
  });
  if (!kept) throw new Error("there was an engine");
  await refused(kept.project(random(tokens * width, 1)), "E_DISPOSED", /disposed/);
});

test.run();
