import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Watch } from "#dist/weights/http-watch.js";
import { countListeners } from "../../support/counted-listeners.js";

const test = suite("weights/http-watch");

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("silence ends a request; an answer and a kilobyte are signs of life, a byte is none", async () => {
  const watch = new Watch(80, undefined);
  for (let i = 0; i < 4; i++) {
    await sleep(30);
    if (i % 2 === 0) watch.answered();
    else for (let byte = 0; byte < 4; byte++) watch.heard(300);
  }
  assert.not(watch.signal.aborted);
  for (let i = 0; i < 6; i++) {
    await sleep(20);
    watch.heard(1);
  }
  assert.ok(watch.signal.aborted && watch.silent);
  watch.end();
});

test("an abort from outside is passed on with its reason, and is not silence", () => {
  const outer = new AbortController();
  const listeners = countListeners(outer.signal);
  const watch = new Watch(1000, outer.signal);
  const ended = new Watch(1000, outer.signal);
  ended.end();
  assert.is(listeners(), 1);
  const many = Array.from({ length: 20 }, () => new Watch(1000, outer.signal));
  assert.is(listeners(), 1, "one for all");
  for (const one of many) one.end();
  outer.abort("stopped");
  assert.is(watch.signal.reason, "stopped");
  assert.not(watch.silent);
  watch.end();
  assert.is(listeners(), 0);
  const late = new Watch(1000, outer.signal);
  assert.is(late.signal.reason, "stopped");
  late.end();
});

test.run();
