import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NumberHeap } from "#dist/text/number-heap.js";

const test = suite("text/number-heap");

test("the least of what is there comes first, whenever it was put", () => {
  const step = fc.oneof(fc.double({ noNaN: true }), fc.constant("pop" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const heap = new NumberHeap(steps.length);
      const there: number[] = [];
      for (const one of steps) {
        if (one === "pop") assert.is(heap.pop(), there.shift());
        else {
          heap.push(one);
          there.push(one);
          there.sort((a, b) => a - b);
        }
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("an empty one has none, again and again", () => {
  const heap = new NumberHeap(1);
  for (let time = 0; time < 3; time++) {
    assert.is(heap.pop(), undefined);
    heap.push(time);
    assert.is(heap.pop(), time);
  }
});

test.run();
