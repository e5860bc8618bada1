import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fitSquare } from "#dist/image/geometry.js";
import { pictures, SIZES } from "../../support/preprocess.js";

const test = suite("image/geometry");

for (const size of SIZES) {
  test(`every recorded picture at ${size}`, () => {
    for (const picture of pictures) {
      const [width, height] = picture.size;
      const { resized_size, offset } = picture[`${size}`];
      const fit = fitSquare(width, height, size, 14);
      assert.equal([fit.width, fit.height], resized_size, picture.file);
      assert.equal([fit.x, fit.y], offset, picture.file);
    }
  });
}

test("sizes that other ports get wrong", () => {
  const table: [number, number, number, number][] = [
    [767, 206, 384, 103],
    [640, 480, 384, 288],
    [1920, 1080, 384, 216],
    [1284, 856, 384, 256],
    [1334, 750, 384, 215],
    [2522, 1261, 384, 192],
    [333, 500, 255, 384],
    [1023, 767, 384, 287],
    [5, 1000, 14, 384],
    [20000, 1, 384, 14],
    [1, 20000, 14, 384],
  ];
  for (const [width, height, ...expected] of table) {
    const fit = fitSquare(width, height, 384, 14);
    assert.equal([fit.width, fit.height], expected, `${width}x${height}`);
  }
});

test("the long side is exact, the short side is within its limits, the centre is off by half a pixel at most", () => {
  const side = fc.integer({ min: 1, max: 1_000_000 });
  fc.assert(
    fc.property(side, side, fc.constantFrom(16, 96, 384, 1024), (width, height, size) => {
      const fit = fitSquare(width, height, size, 14);
      assert.is(Math.max(fit.width, fit.height), size);
      assert.ok(Math.min(fit.width, fit.height) >= 14);
      for (const [offset, length] of [
        [fit.x, fit.width],
        [fit.y, fit.height],
      ] as const) {
        const behind = size - length - offset;
        assert.ok(offset >= 0 && (behind === offset || behind === offset + 1));
      }
    }),
    { seed: 1, numRuns: 1000 },
  );
});

test.run();
