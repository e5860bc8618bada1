import { suite } from "uvu";
import * as assert from "uvu/assert";
import { addTimings, newTimings, timed } from "#dist/entry/timings.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/timings");

test("what work takes is added to its stage alone, also when it fails", async () => {
  const timings = newTimings();
  const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  await timed(timings, "decode", wait);
  const once = timings.decode;
  assert.ok(once > 3, `${once} ms`);
  const broken = new Error("broken");
  const fail = async (): Promise<never> => {
    await wait();
    throw broken;
  };
  assert.is(await rejection(timed(timings, "decode", fail)), broken);
  assert.ok(timings.decode > once + 3);
  assert.equal({ ...timings, decode: 0 }, newTimings());
});

test("sums are by stage", () => {
  const sum = newTimings();
  const stages = Object.keys(sum) as (keyof typeof sum)[];
  const one = newTimings();
  stages.forEach((stage, n) => {
    one[stage] = n + 1;
  });
  addTimings(sum, one);
  addTimings(sum, one);
  assert.equal(
    stages.map((stage) => sum[stage]),
    stages.map((_, n) => 2 * (n + 1)),
  );
});

test.run();
