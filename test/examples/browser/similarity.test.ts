import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Similarity } from "../../../examples/browser/similarity.mjs";

const test = suite("examples/browser/similarity");

test("cosines: 1 of itself and what points the same way, -1 of the opposite, 0 of what has no direction", () => {
  const similarity = new Similarity(Float32Array.of(3, 4, 6, 8, -3, -4, 4, -3, 0, 0), 2);
  const cosines = [...similarity.to(0)];
  for (const [p, want] of [1, 1, -1, 0, 0].entries())
    assert.ok(Math.abs(cosines[p]! - want) < 1e-6, `${p}: ${cosines[p]}`);
  assert.ok(cosines.every((cosine) => cosine >= -1 && cosine <= 1));
});

test("the features themselves are left alone", () => {
  const features = Float32Array.of(3, 4);
  new Similarity(features, 2);
  assert.equal([...features], [3, 4]);
});

test.run();
