import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Calls } from "#dist/entry/calls.js";
import { countListeners } from "../../support/counted-listeners.js";

const test = suite("entry/calls");

function entered(calls: Calls, signal?: AbortSignal): AbortController {
  const call = new AbortController();
  calls.enter(call, signal);
  return call;
}

test("an abort reaches the calls of its signal, with the reason, and no other", () => {
  const calls = new Calls();
  const [one, other] = [new AbortController(), new AbortController()];
  const mine = [entered(calls, one.signal), entered(calls, one.signal)];
  const others = [entered(calls, other.signal), entered(calls)];
  one.abort("enough");
  assert.equal(
    mine.map(({ signal }) => signal.reason),
    ["enough", "enough"],
  );
  assert.ok(others.every(({ signal }) => !signal.aborted));
});

test("a signal that aborted before aborts at once", () => {
  assert.is(entered(new Calls(), AbortSignal.abort("before")).signal.reason, "before");
});

test("who has left is left alone", () => {
  const calls = new Calls();
  const controller = new AbortController();
  const gone = entered(calls, controller.signal);
  const stays = entered(calls, controller.signal);
  calls.leave(gone, controller.signal);
  controller.abort("enough");
  calls.end("the end");
  assert.not.ok(gone.signal.aborted);
  assert.is(stays.signal.reason, "enough");
});

test("the end aborts all that are under way, with a signal or without, and whoever comes", () => {
  const calls = new Calls();
  const { signal } = new AbortController();
  const under = [entered(calls), entered(calls, signal), entered(calls, signal)];
  calls.end("the end");
  calls.end("another");
  for (const call of [...under, entered(calls), entered(calls, signal)]) assert.is(call.signal.reason, "the end");
});

test("a signal is listened to once, and not at all when its calls are over", () => {
  const calls = new Calls();
  const { signal } = new AbortController();
  const listeners = countListeners(signal);
  for (let round = 0; round < 2; round++) {
    const under = Array.from({ length: 20 }, () => entered(calls, signal));
    assert.is(listeners(), 1);
    for (const call of under) calls.leave(call, signal);
    assert.is(listeners(), 0);
  }
});

test.run();
