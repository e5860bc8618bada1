import { suite } from "uvu";
import * as assert from "uvu/assert";
import { onAbort } from "#dist/weights/on-abort.js";
import { countListeners } from "../../support/counted-listeners.js";

const test = suite("weights/on-abort");

test("many wait for one signal with one listener, each may stop waiting, and none is left", () => {
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  const log: number[] = [];
  const stops = Array.from({ length: 20 }, (_, i) => onAbort(controller.signal, () => log.push(i)));
  assert.is(listeners(), 1);
  for (const stop of stops.slice(2)) stop();
  controller.abort();
  assert.equal(log, [0, 1]);
  for (const stop of stops) stop();
  assert.is(listeners(), 0);
});

test("when nobody waits any more the listener goes, and comes again", () => {
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  let called = 0;
  const stop = onAbort(controller.signal, () => called++);
  stop();
  stop();
  assert.is(listeners(), 0);
  const again = onAbort(controller.signal, () => called++);
  stop();
  assert.is(listeners(), 1, "the first is not taken back twice");
  controller.abort();
  again();
  assert.is(called, 1);
  assert.is(listeners(), 0);
});

test("what has aborted calls at once; no signal never does", () => {
  let called = 0;
  onAbort(AbortSignal.abort(), () => called++)();
  assert.is(called, 1);
  onAbort(undefined, () => called++)();
  assert.is(called, 1);
});

test.run();
