/** Decoder, resize, padding and normalisation together, on every team: Pillow's pixels to the byte, the reference's numbers to the bit. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDecoder, type Decoder } from "#dist/entry/node/decoder.js";
import type { JanusError } from "#dist/errors.js";
import { fitSquare } from "#dist/image/geometry.js";
import { normalisedLevels } from "#dist/image/levels.js";
import type { RgbImage } from "#dist/image/pixels.js";
import type { PreprocessConfig } from "#dist/image/preprocess.js";
import { assertSameBits } from "../../support/numbers.js";
import { golden } from "../../support/paths.js";
import { pictures, recordedArray, SIZES, sha256 } from "../../support/preprocess.js";
import { pad, resize } from "../../support/resize.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";
import { rejection } from "../../support/waiting.js";

const test = suite<Teams & { decoder: Decoder }>("image/preprocess");
test.before(openTeams);
test.before((context) => {
  context.decoder = createDecoder();
});
test.after(closeTeams);
test.after(({ decoder }) => decoder.dispose());

function janus(imageSize: number): PreprocessConfig {
  const half = [0.5, 0.5, 0.5];
  return {
    imageSize,
    minSize: 14,
    mean: half,
    std: half,
    rescaleFactor: 1 / 255,
    doNormalize: true,
    background: [127, 127, 127],
  };
}

async function run(team: Team, config: PreprocessConfig, picture: RgbImage): Promise<Float32Array> {
  const count = 3 * config.imageSize ** 2;
  const dst = team.take(count * 4);
  await team.call("preprocess", config, picture, dst, team.free);
  return team.f32(dst, count);
}

async function runSquare(team: Team, config: PreprocessConfig, picture: RgbImage): Promise<Uint8Array> {
  const dst = team.take(3 * config.imageSize ** 2);
  await team.call("square", config, picture, dst, team.free);
  return team.bytes(dst, 3 * config.imageSize ** 2);
}

/** The u8 square [S,S,3] that pixel_values [3,S,S] were looked up from. */
function levels(pixels: Float32Array, config: PreprocessConfig): Uint8Array {
  const table = normalisedLevels(config);
  const level = new Map(Array.from(table.subarray(0, 256), (value, at) => [value, at]));
  assert.is(level.size, 256, "levels can be told apart");
  const plane = config.imageSize ** 2;
  return Uint8Array.from(pixels, (_, i) => {
    const value = level.get(pixels[(i % 3) * plane + Math.floor(i / 3)]!);
    if (value === undefined) throw new Error(`element ${i} is none of the 256 values`);
    return value;
  });
}

function crop(
  square: Uint8Array,
  side: number,
  [x, y]: readonly number[],
  [width, height]: readonly number[],
): Uint8Array {
  const out = new Uint8Array(width! * height! * 3);
  for (let row = 0; row < height!; row++) {
    const from = ((y! + row) * side + x!) * 3;
    out.set(square.subarray(from, from + width! * 3), row * width! * 3);
  }
  return out;
}

for (const size of SIZES) {
  test(`the 34 recorded pictures at ${size}: resized and padded as the reference does`, async ({ teams, decoder }) => {
    const config = janus(size);
    assert.is(pictures.length, 34);
    for (const { file, [size]: expected } of pictures) {
      const picture = await decoder.decode(readFileSync(golden(`preprocess/${file}`)), file);
      const square = levels(await onEvery(teams, (team) => run(team, config, picture)), config);
      const resized = crop(square, size, expected.offset, expected.resized_size);
      assert.is(sha256(resized), expected.resized_sha256, `${file}, resized`);
      assert.is(sha256(square), expected.padded_sha256, `${file}, padded`);
    }
  });
}

test("the levels are the recorded float32 values", async ({ teams }) => {
  const recorded = new Float32Array(recordedArray("normalised_levels").bytes.buffer);
  const ramp = { width: 16, height: 16, data: Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)) };
  const pixels = await onEvery(teams, (team) => run(team, { ...janus(16), minSize: 1 }, ramp));
  for (let channel = 0; channel < 3; channel++) {
    assertSameBits(pixels.subarray(channel * 256, (channel + 1) * 256), recorded.subarray(0, 256));
  }
});

/** The square slowly: the plain resize, the canvas. */
function slowSquare({ imageSize: side, minSize, background }: PreprocessConfig, picture: RgbImage): Uint8Array {
  const fit = fitSquare(picture.width, picture.height, side, minSize);
  return pad(resize(picture, fit.width, fit.height), fit.width, fit.x, fit.y, side, background[0]!);
}

/** And the table. */
function slow(config: PreprocessConfig, picture: RgbImage): Float32Array {
  const { imageSize: side } = config;
  const square = slowSquare(config, picture);
  const table = normalisedLevels(config);
  const plane = side ** 2;
  return Float32Array.from({ length: 3 * plane }, (_, i) => {
    const channel = Math.floor(i / plane);
    return table[channel * 256 + square[(i % plane) * 3 + channel]!]!;
  });
}

function noise(width: number, height: number): RgbImage {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + 7 * i) % 256) };
}

test("any proportion, odd remainders, sides below min_size, sides that need no pass", async ({ teams }) => {
  for (const [imageSize, minSize] of [
    [33, 1],
    [33, 14],
    [16, 16],
    [1, 1],
  ] as const) {
    const config = { ...janus(imageSize), minSize };
    for (const [width, height] of [
      [1, 1],
      [33, 33],
      [33, 7],
      [6, 33],
      [100, 3],
      [2, 90],
      [35, 34],
      [200, 180],
    ] as const) {
      const picture = noise(width, height);
      const what = `${width} x ${height} to ${imageSize}, at least ${minSize}`;
      assertSameBits(await onEvery(teams, (team) => run(team, config, picture)), slow(config, picture), what);
      const square = await onEvery(teams, (team) => runSquare(team, config, picture));
      assertSameBits(square, slowSquare(config, picture), what);
    }
  }
});

test("a picture of S x S is its own square, whatever min_size", async ({ teams }) => {
  for (const minSize of [1, 14, 33]) {
    const config = { ...janus(33), minSize };
    const picture = noise(33, 33);
    assertSameBits(await onEvery(teams, (team) => runSquare(team, config, picture)), picture.data);
  }
});

test("mean and std of each channel, another factor, no normalisation, another background", async ({ teams }) => {
  const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
  for (const other of [
    clip,
    { ...clip, doNormalize: false },
    { rescaleFactor: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1], background: [255, 255, 255] },
    { background: [0, 0, 0] },
  ]) {
    const config = { ...janus(24), ...other };
    const picture = noise(40, 25);
    assertSameBits(await onEvery(teams, (team) => run(team, config, picture)), slow(config, picture));
  }
});

test("each channel has its own background", async ({ teams }) => {
  const config = { ...janus(16), background: [10, 20, 30] };
  const pixels = await onEvery(teams, (team) => run(team, config, noise(16, 2)));
  const square = levels(pixels, config);
  assert.equal([...square.subarray(0, 3)], [10, 20, 30]);
  assert.equal([...square.subarray(-3)], [10, 20, 30]);
});

test("what a picture left in memory does not show in the next", async ({ teams }) => {
  const config = janus(40);
  const first = await onEvery(teams, (team) => run(team, config, noise(70, 20)));
  const between = await onEvery(teams, async (team) => {
    const dst = team.take(3 * 40 * 40 * 4);
    await team.call("preprocess", config, noise(90, 91), dst, team.free);
    await team.call("preprocess", config, noise(70, 20), dst, team.free);
    return team.f32(dst, 3 * 40 * 40);
  });
  assertSameBits(between, first);
});

test("a picture beyond memory is E_OOM on every team, and the next one is well", async ({ teams }) => {
  const config = janus(24);
  for (const team of teams) {
    const dst = team.take(3 * 24 * 24 * 4);
    const huge = { width: 40_000, height: 40_000, data: new Uint8Array(0) };
    const call = async (): Promise<unknown> => team.call("preprocess", config, huge, dst, team.free);
    const error = (await rejection(call())) as JanusError;
    assert.is(error.code, "E_OOM", team.title);
    team.finish();
  }
  const picture = noise(30, 20);
  assertSameBits(await onEvery(teams, (team) => run(team, config, picture)), slow(config, picture));
});

test.run();
