/** A picture worker beside an engine: the same squares, and nothing of the model's memory. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Engine } from "#dist/entry/engine.js";
import { openModel, planMemory } from "#dist/entry/load.js";
import { createDecoder } from "#dist/entry/node/decoder.js";
import { type PictureWorker, startPictureWorker } from "#dist/entry/picture-worker.js";
import { probe, tilesOf } from "#dist/entry/variant.js";
import { isRelaxed, isThreaded, VARIANTS } from "#dist/wasm/variants.js";
import { recordedFiles } from "../../support/checkpoint-files.js";
import { RELAXED_EXPECTED } from "../../support/engine.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { assertSameBits } from "../../support/numbers.js";
import { golden } from "../../support/paths.js";
import { pictures } from "../../support/preprocess.js";
import { refused } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";
import { watchedHost } from "../../support/watched-host.js";

const test = suite("entry/picture-worker");

const model = await openModel(memorySource(recordedFiles("tiny-hf")));

async function withWorker(work: (worker: PictureWorker) => Promise<void>): Promise<void> {
  const host = watchedHost();
  const worker = await startPictureWorker(host, model.config);
  assert.is(host.held().workers, 1);
  await work(worker);
  await worker.dispose();
  assert.is(host.held().workers, 0);
}

for (const variant of VARIANTS.filter((variant) => RELAXED_EXPECTED || !isRelaxed(variant))) {
  test(`the recorded pictures: the squares of compute workers of ${variant}`, () =>
    withWorker(async (worker) => {
      const host = watchedHost();
      const { module } = await probe(host, variant);
      if (!module) throw new Error(`${variant} runs here`);
      const threads = isThreaded(variant) ? 2 : 1;
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
      const decoder = createDecoder();
      assert.is(pictures.length, 34);
      for (const { file } of pictures) {
        const picture = await decoder.decode(readFileSync(golden(`preprocess/${file}`)), file);
        const expected = await engine.square({ ...picture, data: picture.data.slice() });
        const square = await worker.square(picture);
        assert.equal([square.width, square.height], [model.config.imageSize, model.config.imageSize]);
        assertSameBits(square.data, expected.data, file);
        assert.is(picture.data.length, 0, "the picture was given away");
      }
      await decoder.dispose();
      await engine.dispose();
    }));
}

test("what does not fit and an abort leave it usable", () =>
  withWorker(async (worker) => {
    const picture = () => ({ width: 20, height: 10, data: new Uint8Array(600).fill(9) });
    const expected = await worker.square(picture());
    const huge = { width: 60_000, height: 60_000, data: new Uint8Array(3) };
    await refused(worker.square(huge), "E_OOM", /bytes needed, but a WebAssembly memory ends at/);
    const controller = new AbortController();
    const large = { width: 6000, height: 6000, data: new Uint8Array(108e6) };
    const work = rejection(worker.square(large, controller.signal));
    controller.abort("enough");
    assert.is(await work, "enough");
    assertSameBits((await worker.square(picture())).data, expected.data);
  }));

test("a host that refuses the worker: its error, and nothing is left", async () => {
  const host = watchedHost();
  const broken = { ...host, binary: async () => new Uint8Array(8) };
  assert.ok((await rejection(startPictureWorker(broken, model.config))) instanceof WebAssembly.CompileError);
  assert.is(host.held().workers, 0);
});

test.run();
