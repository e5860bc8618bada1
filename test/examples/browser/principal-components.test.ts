import { suite } from "uvu";
import * as assert from "uvu/assert";
import { componentColours, principalDirections } from "../../../examples/browser/principal-components.mjs";

const test = suite("examples/browser/principal-components");

/** Points along known directions, of known spreads: sums of sines have no sum. */
function points(spreads: readonly number[], width: number, patches: number): Float64Array {
  const out = new Float64Array(patches * width);
  for (let p = 0; p < patches; p++) {
    for (const [c, spread] of spreads.entries()) {
      const place = spread * Math.SQRT2 * Math.sin((2 * Math.PI * (c + 1) * p) / patches);
      // Direction c: half of the weights of 4 neighbours, of one sign.
      for (let i = 0; i < 4; i++) out[p * width + c * 4 + i]! += place / 2;
    }
  }
  return out;
}

test("the directions of largest variance, largest first, each with its largest weight positive", () => {
  const [width, patches] = [20, 60];
  const rows = points([3, -7, 5, 1], width, patches);
  const directions = principalDirections(rows, patches, width);
  assert.is(directions.length, 3);
  for (const [c, at] of [1, 2, 0].entries()) {
    for (let i = 0; i < width; i++) {
      const want = Math.floor(i / 4) === at ? 0.5 : 0;
      assert.ok(Math.abs(directions[c]![i]! - want) < 1e-6, `direction ${c}, weight ${i}: ${directions[c]![i]}`);
    }
  }
});

test("colours do not change when all features are moved, or are computed again", () => {
  const width = 12;
  const features = Float32Array.from({ length: 25 * width }, (_, i) => Math.sin(i * 1.7) + Math.cos(i * 0.31));
  const colours = componentColours(features, width);
  assert.is(colours.length, 75);
  assert.ok(new Set(colours).size > 20);
  assert.equal(componentColours(features, width), colours);
  const moved = componentColours(
    features.map((value, i) => value + (i % width)),
    width,
  );
  for (const [i, level] of moved.entries()) assert.ok(Math.abs(level - colours[i]!) <= 1, `${i}`);
});

test("patches that are all the same are grey, and one patch is", () => {
  assert.equal([...componentColours(new Float32Array(8).fill(2), 4)], [128, 128, 128, 128, 128, 128]);
  assert.equal([...componentColours(Float32Array.of(1, 2, 3, 4), 4)], [128, 128, 128]);
});

test.run();
