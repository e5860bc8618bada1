import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDecoder, type Decoder } from "#dist/entry/node/decoder.js";
import { loadImage } from "#dist/entry/node/image-input.js";
import { fitSquare } from "#dist/image/geometry.js";
import type { RgbImage } from "#dist/image/pixels.js";
import { bicubicTable } from "#dist/image/resample.js";
import { golden } from "../../support/paths.js";
import { extra, pictures, recordedArray, SIZES, sha256 } from "../../support/preprocess.js";
import { pad, resize } from "../../support/resize.js";

const test = suite<{ decoder: Decoder }>("image/resample");
test.before((context) => {
  context.decoder = createDecoder();
});
test.after(({ decoder }) => decoder.dispose());

for (const size of SIZES) {
  test(`every recorded picture, resized and padded at ${size}`, async ({ decoder }) => {
    let compared = 0;
    for (const picture of pictures) {
      const image = await loadImage(golden(`preprocess/${picture.decoded ?? picture.file}`), 0, decoder);
      const fit = fitSquare(image.width, image.height, size, 14);
      const resized = resize(image, fit.width, fit.height);
      const padded = pad(resized, fit.width, fit.x, fit.y, size, 127);
      const expected = picture[`${size}`];
      assert.is(sha256(resized), expected.resized_sha256, `${picture.file} resized`);
      assert.is(sha256(padded), expected.padded_sha256, `${picture.file} padded`);
      compared++;
    }
    assert.is(compared, 34);
  });
}

test("the recorded array of a photograph, so that a difference can be seen", async ({ decoder }) => {
  const image = await loadImage(golden("preprocess/decoded/china-640x427.jpg.png"), 0, decoder);
  const expected = recordedArray("china-640x427.jpg.384.resized");
  assert.equal(expected.shape, [256, 384, 3]);
  const resized = resize(image, 384, 256);
  const worst = resized.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.bytes[i]!)), 0);
  assert.is(worst, 0);
});

test("I09 and other shapes: Pillow's resizes of a formula", () => {
  assert.is(extra.formula.length, 48);
  for (const { source, size, sha256: expected } of extra.formula) {
    const resized = resize(formula(...source), ...size);
    assert.is(sha256(resized), expected, `${source.join("x")} to ${size.join("x")}`);
  }
});

test("I09 a side of a million pixels has a table of 16 MB, not more", () => {
  const table = bicubicTable(1_000_000, 384);
  assert.ok(table.weights.byteLength <= 2 ** 24, `${table.weights.byteLength}`);
  const [first, count] = table.bounds.subarray(-2);
  assert.is(first! + count!, 1_000_000, "the last row reads to the last pixel");
});

test("windows lie inside the source and weights never overflow an int32 sum", () => {
  const side = fc.integer({ min: 1, max: 3000 });
  fc.assert(
    fc.property(side, fc.integer({ min: 1, max: 400 }), (sourceSize, size) => {
      const { bounds, weights, taps } = bicubicTable(sourceSize, size);
      assert.is(bounds.length, size * 2);
      assert.is(weights.length, size * taps);
      let most = 0;
      for (let i = 0; i < size; i++) {
        const first = bounds[i * 2]!;
        const count = bounds[i * 2 + 1]!;
        assert.ok(first >= 0 && count >= 1 && first + count <= sourceSize);
        most = Math.max(most, count);
        const row = weights.subarray(i * taps, (i + 1) * taps);
        const sum = row.reduce((total, weight) => total + weight, 0);
        // Each weight is off by half a unit at most.
        assert.ok(Math.abs(sum - 2 ** 22) <= count / 2, `sum ${sum} of ${count}`);
        assert.ok(row.reduce((total, weight) => total + Math.abs(weight), 0) < 1.3 * 2 ** 22);
        assert.ok(row.subarray(count).every((weight) => weight === 0));
      }
      assert.is(taps, most);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("equal sizes give the identity", () => {
  const { bounds, weights, taps } = bicubicTable(37, 37);
  for (let i = 0; i < 37; i++) {
    for (let k = 0; k < bounds[i * 2 + 1]!; k++) {
      assert.is(weights[i * taps + k]! + 0, bounds[i * 2]! + k === i ? 2 ** 22 : 0);
    }
  }
});

/** The picture of preprocess-extra/make.py's `formula`. */
function formula(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data[at++] = (x * 7 + y * 13) % 256;
      data[at++] = (x * y) % 251;
      data[at++] = ((x ^ y) * 29) % 256;
    }
  }
  return { width, height, data };
}

test.run();
