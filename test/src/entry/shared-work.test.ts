import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SharedWork } from "#dist/entry/shared-work.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/shared-work");

/** Work that ends when it is told to, or is stopped. */
function slow() {
  let resolve: (value: string) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<string>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  const signals: AbortSignal[] = [];
  const work = (signal: AbortSignal): Promise<string> => {
    signals.push(signal);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  return { work, resolve, reject, signals };
}

test("callers that come together share it, later ones begin anew", async () => {
  const shared = new SharedWork<string>();
  const { work, resolve, signals } = slow();
  const both = Promise.all([shared.run("a", work), shared.run("a", work)]);
  resolve("done");
  assert.equal(await both, ["done", "done"]);
  assert.is(signals.length, 1);
  assert.is(await shared.run("a", async () => "again"), "again");
  assert.is(await shared.run("b", async () => "other"), "other");
});

test("an abort is the caller's own; the work goes on for the others, and stops with the last", async () => {
  const shared = new SharedWork<string>();
  const { work, signals } = slow();
  const [first, second] = [new AbortController(), new AbortController()];
  const [one, two] = [shared.run("a", work, first.signal), shared.run("a", work, second.signal)].map(rejection);
  first.abort("first");
  assert.is(await one, "first");
  assert.not(signals[0]?.aborted);
  second.abort("second");
  assert.is(await two, "second");
  assert.ok(signals[0]?.aborted);
  assert.is(await shared.run("a", async () => "anew"), "anew");
});

test("a failure is everybody's, and not remembered", async () => {
  const shared = new SharedWork<string>();
  const { work, reject } = slow();
  const both = [shared.run("a", work), shared.run("a", work)].map(rejection);
  reject("broken");
  assert.equal(await Promise.all(both), ["broken", "broken"]);
  assert.is(await shared.run("a", async () => "mended"), "mended");
});

test("who has aborted before gets nothing begun", async () => {
  const shared = new SharedWork<string>();
  const { work, signals } = slow();
  assert.is(await rejection(shared.run("a", work, AbortSignal.abort("before"))), "before");
  assert.is(signals.length, 0);
});

test.run();
