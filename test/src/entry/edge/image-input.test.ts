/** Pictures on an edge worker: what is decoded by whom, and what is refused before anything is decoded. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Decoders, loadImage } from "#dist/entry/edge/image-input.js";
import type { ImageInput } from "#dist/entry/host.js";
import { createDecoder } from "#dist/entry/node/decoder.js";
import { JanusError } from "#dist/errors.js";
import { golden } from "../../../support/paths.js";
import { bilevel } from "../../../support/png.js";
import { pictures, sha256 } from "../../../support/preprocess.js";
import { refused } from "../../../support/refusal.js";
import { rejection } from "../../../support/waiting.js";

const test = suite("entry/edge/image-input");

const file = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(golden(`preprocess/images/${name}`)));
const JPEG = file("chroma444-97x61.jpg");
const WEBP = file("lossy-150x100.webp");
const PNG = file("rgb-noise-100x70.png");
const NOISE = pictures.find((one) => one.file.endsWith("rgb-noise-100x70.png"));

let asked: string[] = [];
/** Decoders of the host that the tests run on, as a caller would bring them. */
const native = createDecoder();
const decoders: Decoders = {
  jpeg(bytes) {
    asked.push("jpeg");
    return native.decode(new Uint8Array(bytes), "a picture");
  },
  webp(bytes) {
    asked.push("webp");
    return native.decode(new Uint8Array(bytes), "a picture");
  },
};
test.before.each(() => {
  asked = [];
});
test.after(() => native.dispose());

const load = (input: ImageInput, given: Decoders = decoders, maxPixels = 2 ** 22, signal?: AbortSignal) =>
  loadImage(input, 0, { decoders: given, maxPixels }, signal);

test("bytes in every form, Blobs, data: URLs, and pixels", async () => {
  const wide = new Uint8Array(PNG.length + 10);
  wide.set(PNG, 5);
  for (const input of [
    PNG,
    PNG.buffer,
    wide.subarray(5, 5 + PNG.length),
    new DataView(PNG.buffer),
    new Blob([PNG]),
    `data:image/png;base64,${Buffer.from(PNG).toString("base64")}`,
  ]) {
    const { width, height, data } = await load(input);
    assert.equal([width, height, sha256(data)], [100, 70, NOISE?.rgb_sha256]);
  }
  const pixels = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 0) };
  assert.equal((await load(pixels)).data, Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.equal(asked, [], "PNG needs no decoder");
});

test("bytes are the caller's again at once", async () => {
  const own = PNG.slice();
  const loading = load(own);
  own.fill(0);
  assert.is(sha256((await loading).data), NOISE?.rgb_sha256);
});

test("JPEG and WebP are for the caller's decoders, PNG too where one is given", async () => {
  assert.equal([(await load(JPEG)).width, (await load(WEBP)).width], [97, 150]);
  assert.equal(asked, ["jpeg", "webp"]);
  const grey = { width: 100, height: 70, data: new Uint8Array(100 * 70 * 3).fill(9) };
  assert.is((await load(PNG, { png: () => grey })).data[0], 9);
  await refused(load(JPEG, {}), "E_UNSUPPORTED", /no decoder of jpeg here; give one to Janus.load, as decoders.jpeg/);
});

test("the header is asked before the decoder: too many pixels, no size, no end", async () => {
  await refused(load(JPEG, decoders, 97 * 61 - 1), "E_IMAGE", /at most 5916 pixels, got 97x61 = 5917/);
  await refused(load(new Uint8Array(bilevel(8000, 8000))), "E_IMAGE", /at most 4194304 pixels/);
  await refused(load(new Uint8Array(bilevel(9000, 9000)), decoders, 2 ** 40), "E_IMAGE", /at most 67108864 pixels/);
  await refused(load(JPEG.subarray(0, 20)), "E_IMAGE", /no header with its size/);
  await refused(load(JPEG.subarray(0, JPEG.length - 2)), "E_IMAGE", /ends before the picture does/);
  assert.equal(asked, []);
  assert.is((await load(JPEG, decoders, 97 * 61)).width, 97);
});

test("what is no picture, no bytes, or elsewhere", async () => {
  for (const [input, code, pattern] of [
    ["picture.png", "E_UNSUPPORTED", /not read from paths or URLs/],
    [new URL("https://127.0.0.1/x.png"), "E_UNSUPPORTED", /not read from paths or URLs/],
    ["data:image/png;base64,!", "E_IMAGE", /expected base64/],
    [new Uint8Array(0), "E_IMAGE", /got no bytes/],
    [new TextEncoder().encode("<svg/>"), "E_IMAGE", /got an SVG/],
    [null as never, "E_IMAGE", /expected bytes, a Blob/],
    [{ width: 1 } as never, "E_IMAGE", /expected bytes, a Blob/],
    [new Uint8Array(2 ** 26 + 1), "E_IMAGE", /at most 67108864 bytes/],
  ] as const) {
    await refused(load(input), code, pattern, /^image 1: /);
  }
});

test("a decoder that fails, makes another picture, or none", async () => {
  const failing = (decode: () => never): Decoders => ({ jpeg: decode });
  const throwing = failing(() => {
    throw new Error("Decoding error\nof a library");
  });
  await refused(load(JPEG, throwing), "E_IMAGE", /cannot be decoded: "Decoding error\\nof a library"/);
  const named = failing(() => {
    throw new JanusError("E_OOM", "too large for here");
  });
  await refused(load(JPEG, named), "E_OOM", /too large for here/);
  await refused(load(JPEG, { jpeg: () => null as never }), "E_IMAGE", /header says 97x61, the decoder made undefined/);
  const turned = { width: 61, height: 97, data: new Uint8Array(97 * 61 * 3) };
  await refused(load(JPEG, { jpeg: () => turned }), "E_IMAGE", /header says 97x61, the decoder made 61x97/);
  const short = { width: 97, height: 61, data: new Uint8Array(5) };
  await refused(load(JPEG, { jpeg: () => short }), "E_IMAGE", /bytes for 97x61 pixels, got 5/);
});

test("an abort before, and one while decoding, reject with its reason", async () => {
  assert.is(await rejection(load(PNG, decoders, 2 ** 22, AbortSignal.abort("enough"))), "enough");
  const controller = new AbortController();
  const slow: Decoders = {
    async jpeg() {
      controller.abort("later");
      throw new Error("ended");
    },
  };
  assert.is(await rejection(load(JPEG, slow, 2 ** 22, controller.signal)), "later");
});

test.run();
