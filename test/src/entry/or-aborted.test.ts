import { getEventListeners } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { orAborted } from "#dist/entry/or-aborted.js";
import { rejection, within } from "../../support/waiting.js";

const test = suite("entry/or-aborted");

test("the value or the error of the work, when that comes first", async () => {
  const controller = new AbortController();
  assert.is(await orAborted(Promise.resolve(1), controller.signal), 1);
  const broken = new Error("broken");
  assert.is(await rejection(orAborted(Promise.reject(broken), controller.signal)), broken);
  controller.abort();
});

test("the reason at once, whatever becomes of the work, also when it aborted before", async () => {
  const controller = new AbortController();
  let fail: (error: Error) => void = () => {};
  const work = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const waiting = orAborted(work, controller.signal);
  controller.abort("enough");
  assert.is(await rejection(within(1000, waiting, "the abort")), "enough");
  assert.is(await rejection(orAborted(new Promise(() => {}), AbortSignal.abort("before"))), "before");
  fail(new Error("nobody's")); // An unhandled rejection would end this process.
  await new Promise((resolve) => setImmediate(resolve));
});

test("however many wait for a signal, it has one listener, and none when they are done", async () => {
  const { signal } = new AbortController();
  const waiting = Array.from({ length: 20 }, (_, n) => orAborted(Promise.resolve(n), signal));
  assert.is(getEventListeners(signal, "abort").length, 1);
  await Promise.all(waiting);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(getEventListeners(signal, "abort").length, 0);
});

test.run();
