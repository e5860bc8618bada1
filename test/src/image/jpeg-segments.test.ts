import { readFileSync } from "node:fs";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countScans, frameSize, hasEnd } from "#dist/image/jpeg-segments.js";
import { golden } from "../../support/paths.js";
import { extra, pictures } from "../../support/preprocess.js";

const test = suite("image/jpeg-segments");

const files = [
  ...pictures.map(({ file }) => golden(`preprocess/${file}`)),
  ...extra.pictures.map(({ file }) => golden(`preprocess-extra/${file}`)),
].filter((path) => path.endsWith(".jpg"));

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

test("whole pictures end, and cut ones do not, wherever they are cut", () => {
  assert.ok(files.length > 15);
  for (const path of files) {
    const bytes = new Uint8Array(readFileSync(path));
    assert.ok(hasEnd(bytes), path);
    const end = Buffer.from(bytes).lastIndexOf("ffd9", "hex");
    // The second picture of an .mpo has an end, too.
    if (path.endsWith(".mpo.jpg")) continue;
    for (const part of [0.1, 0.5, 0.9]) {
      const cut = bytes.subarray(0, Math.floor(end * part));
      assert.is(hasEnd(cut), false, `${path}: ${part}`);
    }
    assert.is(hasEnd(bytes.subarray(0, end + 1)), false, path);
  }
});

test("scans are counted, those of recorded pictures few", async () => {
  for (const path of files) {
    const scans = countScans(new Uint8Array(readFileSync(path)), 1000);
    assert.ok(scans >= 1 && scans <= 24, `${path}: ${scans}`);
  }
  const picture = sharp({ create: { width: 32, height: 32, channels: 3, background: "red" } });
  const of = async (progressive: boolean): Promise<number> =>
    countScans(new Uint8Array(await picture.jpeg({ progressive }).toBuffer()), 1000);
  assert.equal([await of(false), await of(true)], [1, 10]);
  assert.is(countScans(new Uint8Array(Buffer.from("ffda".repeat(500), "hex")), 201), 201);
});

test("the end of a thumbnail is not the picture's, nor is an escaped byte", () => {
  const thumbnail = "ffe10006ffd90000";
  assert.is(hasEnd(hex(`ffd8${thumbnail}ffda0002aaff00d9aaff`)), false);
  assert.is(hasEnd(hex(`ffd8${thumbnail}ffda0002aaff00d9aaffd0aaffd9`)), true);
  assert.is(hasEnd(hex("ffd8ffd9")), false, "no picture at all");
});

test("fill bytes and markers without a length are passed over", () => {
  assert.equal(frameSize(view(hex("ffd8ffffff01ffd0ffc00011080020003003"))), { width: 48, height: 32 });
});

test.run();
