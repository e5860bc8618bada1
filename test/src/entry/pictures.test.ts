import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Engine } from "#dist/entry/engine.js";
import { openModel } from "#dist/entry/load.js";
import { Pictures } from "#dist/entry/pictures.js";
import { newTimings } from "#dist/entry/timings.js";
import type { RgbImage } from "#dist/image/pixels.js";
import { recordedFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { golden } from "../../support/paths.js";
import { rejection } from "../../support/waiting.js";
import { type WatchedHost, watchedHost } from "../../support/watched-host.js";

const test = suite("entry/pictures");

const { config } = await openModel(memorySource(recordedFiles("tiny-hf")));
const CHINA = golden("images/china-150x100.png");
const { imageSize } = config;
const { signal } = new AbortController();

/** Compute workers that are busy or not, and whose squares and pixels are told by their first element. */
function pictures(host: WatchedHost, busy: boolean, threads = 2): Pictures {
  const engine = {
    busy,
    square: async ({ width }: RgbImage) => ({ width: imageSize, height: imageSize, data: Uint8Array.of(width) }),
    preprocess: async ({ width }: RgbImage) => Float32Array.of(width),
  };
  return new Pictures({ ...host, availableThreads: () => threads }, engine as unknown as Engine, config);
}

test("compute workers that wait for a picture make its square; no other is started", async () => {
  const host = watchedHost();
  const idle = pictures(host, false);
  const timings = newTimings();
  const picture = await idle.ahead(CHINA, 0, timings, signal);
  assert.equal([picture.width, picture.height], [150, 100]);
  assert.ok(timings.decode > 0 && timings.preprocess === 0);
  const square = { width: imageSize, height: imageSize, data: Uint8Array.of(150) };
  assert.equal(await idle.square(picture, timings, signal), square);
  assert.ok(timings.preprocess > 0);
  assert.equal([timings.encode, timings.total], [0, 0]);
  await idle.dispose();
  assert.is(host.workers.length, 0);
  await host.dispose();
});

test("beside busy ones a worker of its own does, the same for all, until it is ended", async () => {
  const host = watchedHost();
  const busy = pictures(host, true);
  const timings = newTimings();
  for (let n = 0; n < 3; n++) {
    const picture = await busy.ahead(CHINA, n, timings, signal);
    assert.equal([picture.width, picture.height, picture.data.length], [imageSize, imageSize, 3 * imageSize ** 2]);
    assert.is(await busy.square(picture, timings, signal), picture, "nothing is left to do");
  }
  assert.ok(timings.decode > 0 && timings.preprocess > 0);
  assert.is(host.workers.length, 1);
  await busy.dispose();
  assert.is(host.held().workers, 0);
  await host.dispose();
});

test("a picture of S x S has nothing left to do, and nobody does it", async () => {
  const host = watchedHost();
  const input = { width: imageSize, height: imageSize, data: new Uint8Array(3 * imageSize ** 2).fill(7) };
  for (const compute of [pictures(host, true), pictures(host, false)]) {
    const timings = newTimings();
    const picture = await compute.ahead(input, 0, timings, signal);
    assert.equal(picture, input);
    assert.is(await compute.square(picture, timings, signal), picture);
    assert.is(timings.preprocess, 0);
  }
  assert.is(host.workers.length, 0);
  await host.dispose();
});

test("pixel_values are the compute workers', of what was decoded and of a square", async () => {
  const host = watchedHost();
  for (const compute of [pictures(host, true), pictures(host, false)]) {
    const timings = newTimings();
    const picture = await compute.ahead(CHINA, 0, timings, signal);
    const { width } = picture;
    assert.equal(await compute.pixels(picture, timings, signal), Float32Array.of(width));
    assert.ok(timings.preprocess > 0);
    await compute.dispose();
  }
  await host.dispose();
});

test("a host that grants one thread gets no second", async () => {
  const host = watchedHost();
  const busy = pictures(host, true, 1);
  assert.is((await busy.ahead(CHINA, 0, newTimings(), signal)).width, 150);
  assert.is(host.workers.length, 0);
  await host.dispose();
});

test("a worker that did not start is started anew for the next picture", async () => {
  const host = watchedHost();
  const broken = new Error("no binary today");
  let asked = 0;
  const flaky = {
    ...host,
    binary: (variant: Parameters<typeof host.binary>[0]) =>
      asked++ === 0 ? Promise.reject(broken) : host.binary(variant),
  };
  const busy = pictures(flaky, true);
  assert.is(await rejection(busy.ahead(CHINA, 0, newTimings(), signal)), broken);
  assert.is((await busy.ahead(CHINA, 0, newTimings(), signal)).width, imageSize);
  await busy.dispose();
  assert.is(host.held().workers, 0);
  await host.dispose();
});

test.run();
