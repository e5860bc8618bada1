import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Slots } from "#dist/weights/slots.js";
import { rejection } from "../../support/waiting.js";

const test = suite("weights/slots");

test("no more than the count are under way, in order, and a failure frees its slot", async () => {
  const slots = new Slots(2);
  const log: number[] = [];
  let open = 0;
  let most = 0;
  const works = Array.from({ length: 9 }, (_, i) =>
    slots.run(async () => {
      log.push(i);
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 5 - (i % 3)));
      open--;
      if (i % 4 === 0) throw new Error(`${i}`);
      return i;
    }),
  );
  const results = await Promise.allSettled(works);
  assert.equal(log, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.is(most, 2);
  assert.equal(
    results.map((result) => (result.status === "fulfilled" ? result.value : "failed")),
    ["failed", 1, 2, 3, "failed", 5, 6, 7, "failed"],
  );
});

test("an abort leaves the queue, and only that one", async () => {
  const slots = new Slots(1);
  let finish: (() => void) | undefined;
  const first = slots.run(() => new Promise<void>((resolve) => (finish = resolve)));
  const abort = new AbortController();
  const second = rejection(slots.run(async () => "ran", abort.signal));
  const third = slots.run(async () => "third");
  abort.abort("stopped");
  assert.is(await second, "stopped");
  finish?.();
  await first;
  assert.is(await third, "third");
  assert.is(await rejection(slots.run(async () => "ran", AbortSignal.abort("before"))), "before");
  assert.is(await slots.run(async () => "free"), "free");
});

test.run();
