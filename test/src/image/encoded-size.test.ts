import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodedSize } from "#dist/image/encoded-size.js";
import { imageFormat } from "#dist/image/format.js";
import { golden } from "../../support/paths.js";
import { bilevel } from "../../support/png.js";
import { extra, pictures } from "../../support/preprocess.js";

const test = suite("image/encoded-size");

for (const [folder, recorded] of [
  ["preprocess", pictures],
  ["preprocess-extra", extra.pictures],
] as const) {
  test(`${folder}: what Pillow makes of it`, () => {
    assert.ok(recorded.length > 30);
    for (const { file, size } of recorded) {
      const bytes = readFileSync(golden(`${folder}/${file}`));
      const format = imageFormat(bytes);
      if (!format) throw new Error(`${file} is of no format`);
      assert.equal(encodedSize(bytes, format), { width: size[0], height: size[1] }, file);
    }
  });
}

test("a bomb says what it is", () => {
  assert.equal(encodedSize(bilevel(9000, 8000), "png"), { width: 9000, height: 8000 });
});

test("cut anywhere, a file has the size that it has or none, and nothing is thrown", () => {
  for (const name of ["exif3-120x80.jpg", "rgb-noise-100x70.png", "lossy-150x100.webp", "lossless-rgba-60x90.webp"]) {
    const bytes = readFileSync(golden(`preprocess/images/${name}`));
    const format = imageFormat(bytes)!;
    const whole = encodedSize(bytes, format);
    let known = 0;
    for (let length = 0; length < 2000; length++) {
      const size = encodedSize(bytes.subarray(0, length), format);
      if (size === undefined) assert.is(known, 0, `${name}: ${length}`);
      else {
        assert.equal(size, whole);
        known++;
      }
    }
    assert.ok(known > 0, name);
  }
});

test("other chunks, markers and frames are no size", () => {
  const png = bilevel(3, 3);
  png.write("JUNK", 12);
  assert.is(encodedSize(png, "png"), undefined);
  const jpeg = (hex: string): Uint8Array => Buffer.from(hex.padEnd(80, "0"), "hex");
  assert.is(encodedSize(jpeg("ffd8ffda0008"), "jpeg"), undefined, "a scan without a frame");
  assert.is(encodedSize(jpeg("ffd80000"), "jpeg"), undefined, "no marker");
  assert.is(encodedSize(jpeg("ffd8ffe00000ffe00000"), "jpeg"), undefined, "segments without a length");
  assert.equal(encodedSize(jpeg("ffd8ffffc400040000ffc20011080020003003"), "jpeg"), { width: 48, height: 32 });
  const webp = (kind: string): Buffer => Buffer.from(`RIFF\0\0\0\0WEBP${kind}`.padEnd(40, "\0"), "latin1");
  for (const kind of ["VP8 ", "VP8L", "ALPH"]) assert.is(encodedSize(webp(kind), "webp"), undefined, kind);
  assert.equal(encodedSize(webp("VP8X"), "webp"), { width: 1, height: 1 });
});

test.run();
