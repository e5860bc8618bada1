import { readFileSync } from "node:fs";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { barePicture } from "#dist/image/bare-picture.js";
import { golden } from "../../support/paths.js";

const test = suite("image/bare-picture");

const read = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(golden(path)));
const joined = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);
const rgb = (bytes: Uint8Array): Promise<Buffer> => sharp(bytes).removeAlpha().toColourspace("srgb").raw().toBuffer();

test("a JPEG without orientation and profile has the same pixels", async () => {
  for (const name of ["preprocess/images/exif6-120x80.jpg", "preprocess-extra/images/icc-swapped.jpg"]) {
    const bytes = read(name);
    const { parts, place } = barePicture(bytes, "jpeg")!;
    const bare = joined(parts);
    assert.is(place, undefined);
    const { orientation, icc, exif, width, height } = await sharp(bare).metadata();
    assert.equal([orientation, icc, exif], [undefined, undefined, undefined], name);
    assert.equal(
      [width, height],
      await sharp(bytes)
        .metadata()
        .then((found) => [found.width, found.height]),
    );
    const plainly = await sharp(bytes, { autoOrient: false, ignoreIcc: true }).raw().toBuffer();
    assert.ok((await rgb(bare)).equals(plainly), name);
  }
});

test("Adobe's mark, which says how CMYK is stored, stays", () => {
  const bare = joined(barePicture(read("preprocess-extra/images/cmyk-icc.jpg"), "jpeg")!.parts);
  assert.ok(bare.includes("Adobe"));
  assert.not.ok(bare.includes("ICC_PROFILE"));
});

test("a WebP without alpha and profile has the same colours", async () => {
  for (const name of ["lossless-hidden", "lossy-hidden", "lossy-alpha", "icc-swapped"]) {
    const bytes = read(`preprocess-extra/images/${name}.webp`);
    const bare = joined(barePicture(bytes, "webp")!.parts);
    assert.is(bare.readUInt32LE(4), bare.length - 8, name);
    const { hasAlpha, icc } = await sharp(bare).metadata();
    assert.equal([hasAlpha, icc], [false, undefined], name);
    const plainly = await sharp(bytes, { ignoreIcc: true }).removeAlpha().raw().toBuffer();
    assert.ok((await rgb(bare)).equals(plainly), name);
  }
});

test("of an animation the first frame is left, and where it lies", async () => {
  const { parts, place } = barePicture(read("preprocess-extra/images/animated-offset.webp"), "webp")!;
  const { width, height, pages } = await sharp(joined(parts)).metadata();
  assert.is(pages, undefined);
  assert.ok(place && place.x + (width ?? 0) <= place.width && place.y + (height ?? 0) <= place.height);
  assert.ok(place.x > 0 || place.y > 0);
});

test("bytes behind the end of a WebP are not of it, and a last chunk may lack its padding", async () => {
  for (const name of ["lossless-hidden", "lossy-alpha", "animated-offset", "animated-alpha", "icc-swapped"]) {
    const bytes = read(`preprocess-extra/images/${name}.webp`);
    const { parts, place } = barePicture(bytes, "webp")!;
    for (const behind of ["\n", "\0", "\0".repeat(12), "<!-- cdn -->"]) {
      const longer = new Uint8Array(Buffer.concat([bytes, Buffer.from(behind)]));
      assert.equal(
        barePicture(longer, "webp"),
        { parts, ...(place && { place }) },
        `${name}, ${JSON.stringify(behind)}`,
      );
    }
  }
  // A chunk of an odd size in front of the file's end, without its padding byte.
  const bytes = read("preprocess-extra/images/lossless-hidden.webp");
  const view = new DataView(bytes.buffer);
  const odd = new Uint8Array(bytes.length + 9);
  odd.set(bytes);
  odd.set(new TextEncoder().encode("EXIF"), bytes.length);
  new DataView(odd.buffer).setUint32(bytes.length + 4, 1, true);
  new DataView(odd.buffer).setUint32(4, view.getUint32(4, true) + 9, true);
  assert.equal(barePicture(odd, "webp"), barePicture(bytes, "webp"));
});

test("what is cut is no picture to a decoder that might take it with its alpha and orientation", () => {
  for (const [name, format] of [
    ["preprocess/images/exif6-120x80.jpg", "jpeg"],
    ["preprocess-extra/images/animated-offset.webp", "webp"],
    ["preprocess-extra/images/lossy-alpha.webp", "webp"],
  ] as const) {
    const bytes = read(name);
    for (let length = 0; length < bytes.length; length++) {
      const bare = barePicture(bytes.slice(0, length), format);
      if (format === "webp") assert.is(bare, undefined, `${name}, ${length}`);
      else if (bare) assert.ok(joined(bare.parts).length <= length);
    }
  }
});

test("damaged bytes do not throw", () => {
  for (const [name, format] of [
    ["preprocess/images/exif6-120x80.jpg", "jpeg"],
    ["preprocess-extra/images/animated-alpha.webp", "webp"],
  ] as const) {
    const bytes = read(name);
    for (let at = 0; at < Math.min(bytes.length, 400); at++)
      for (const value of [0, 127, 255]) barePicture(bytes.with(at, value), format);
  }
});

test.run();
