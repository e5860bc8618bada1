import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Calls } from "#dist/entry/calls.js";
import { Queue } from "#dist/entry/queue.js";
import { countListeners } from "../../support/counted-listeners.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/queue");

/** A task that is over when the test says so, unless its signal aborts. */
function task() {
  let begun = 0;
  let finish: (value: string) => void = () => {};
  let given: AbortSignal | undefined;
  const run = (signal: AbortSignal): Promise<string> => {
    begun++;
    given = signal;
    return new Promise((resolve, reject) => {
      finish = resolve;
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  };
  return { run, begun: () => begun, finish: (value = "done") => finish(value), signal: () => given };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("tasks run one after another, in the order they came, and answer with their value", async () => {
  const queue = new Queue();
  const order: number[] = [];
  let inside = 0;
  const calls = [5, 0, 3, 1].map((wait, n) =>
    queue.run(async () => {
      assert.is(++inside, 1, "one at a time");
      await new Promise((resolve) => setTimeout(resolve, wait));
      order.push(n);
      inside--;
      return n;
    }),
  );
  assert.equal(await Promise.all(calls), [0, 1, 2, 3]);
  assert.equal(order, [0, 1, 2, 3]);
});

test("a task that fails, also before its first wait, keeps nobody from the next", async () => {
  const queue = new Queue();
  const broken = new Error("broken");
  const first = queue.run(() => Promise.reject(broken));
  const second = queue.run(() => {
    throw broken;
  });
  const third = queue.run(async () => 3);
  assert.is(await rejection(first), broken);
  assert.is(await rejection(second), broken);
  assert.is(await third, 3);
});

test("an abort while queued rejects at once with the reason, and the task never begins", async () => {
  const queue = new Queue();
  const [first, second] = [task(), task()];
  const running = queue.run(first.run);
  const controller = new AbortController();
  const reason = { any: "value" };
  const waiting = queue.run(second.run, controller.signal);
  controller.abort(reason);
  assert.is(await rejection(waiting), reason);
  first.finish();
  assert.is(await running, "done");
  await queue.idle();
  assert.is(second.begun(), 0);
});

test("an abort while running rejects at once, and the next waits until the task has left", async () => {
  const queue = new Queue();
  const controller = new AbortController();
  let leave: () => void = () => {};
  const slow = queue.run(
    () =>
      new Promise<void>((resolve) => {
        leave = resolve;
      }),
    controller.signal,
  );
  const next = task();
  const after = queue.run(next.run);
  await soon();
  controller.abort("enough");
  assert.is(await rejection(slow), "enough");
  await soon();
  assert.is(next.begun(), 0, "the first is still inside");
  leave();
  await soon();
  next.finish();
  assert.is(await after, "done");
});

test("a task sees the abort, with the reason, also that of a signal aborted before", async () => {
  const queue = new Queue();
  const running = task();
  const controller = new AbortController();
  const call = queue.run(running.run, controller.signal);
  await soon();
  assert.not.ok(running.signal()?.aborted);
  controller.abort("enough");
  assert.is(running.signal()?.reason, "enough");
  assert.is(await rejection(call), "enough");
  const never = task();
  assert.is(await rejection(queue.run(never.run, AbortSignal.abort("before"))), "before");
  await queue.idle();
  assert.is(never.begun(), 0);
});

test("an abort after the answer changes nothing", async () => {
  const queue = new Queue();
  const controller = new AbortController();
  assert.is(await queue.run(async () => 1, controller.signal), 1);
  controller.abort();
  assert.is(await queue.run(async () => 2), 2);
});

test("the end of its calls stops what runs, refuses what waits and what comes, all at once", async () => {
  const calls = new Calls();
  const queue = new Queue(calls);
  const [first, second] = [task(), task()];
  const { signal } = new AbortController();
  const running = [queue.run(first.run), queue.run(second.run, signal), queue.run(second.run)];
  await soon();
  const over = new Error("over");
  calls.end(over);
  for (const call of running) assert.is(await rejection(call), over);
  assert.is(await rejection(queue.run(second.run)), over);
  await queue.idle();
  assert.is(first.signal()?.aborted, true);
  assert.is(second.begun(), 0);
});

test("idle is when the last task has left, however it left", async () => {
  const queue = new Queue();
  await queue.idle();
  let left = false;
  const call = queue.run(async () => {
    await soon();
    left = true;
    throw new Error("broken");
  });
  const answer = rejection(call);
  await queue.idle();
  assert.ok(left);
  await answer;
});

test("many calls with one signal: one listener, none when they are over, no warning", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on("warning", onWarning);
  const queue = new Queue();
  const { signal } = new AbortController();
  const listeners = countListeners(signal);
  for (let round = 0; round < 3; round++) {
    const calls = Array.from({ length: 40 }, (_, n) => queue.run(async () => n, signal));
    assert.is(listeners(), 1);
    await Promise.all(calls);
    await soon();
    assert.is(listeners(), 0);
  }
  process.off("warning", onWarning);
  assert.equal(warnings, []);
});

test("calls of several signals: an abort concerns its own", async () => {
  const queue = new Queue();
  const [one, other] = [new AbortController(), new AbortController()];
  const first = task();
  const running = queue.run(first.run, other.signal);
  const mine = [1, 2, 3].map((n) => queue.run(async () => n, one.signal));
  const others = [4, 5].map((n) => queue.run(async () => n, other.signal));
  const nobodys = queue.run(async () => 6);
  one.abort("mine");
  for (const call of mine) assert.is(await rejection(call), "mine");
  first.finish();
  assert.equal(await Promise.all([running, ...others, nobodys]), ["done", 4, 5, 6]);
});

test.run();
