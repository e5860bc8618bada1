import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Schedule } from "#dist/entry/schedule.js";
import { refused } from "../../support/refusal.js";
import { rejection, within } from "../../support/waiting.js";

const test = suite("entry/schedule");

/** What is done when the test says so, or its signal aborts. */
function gate(events: string[]) {
  const open = new Map<string, () => void>();
  return {
    pass: (what: string, signal: AbortSignal): Promise<void> => {
      events.push(what);
      return new Promise((resolve, reject) => {
        open.set(what, resolve);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
    open: async (what: string): Promise<void> => {
      open.get(what)?.();
      await soon();
    },
  };
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

function stream(schedule: Schedule, items: Iterable<number>, signal?: AbortSignal, early = true) {
  const events: string[] = [];
  const gates = gate(events);
  const results = schedule.stream(
    items,
    async (item, index, turn) => {
      assert.is(index, item);
      await gates.pass(`make ${item}`, turn);
      return item;
    },
    async (made, call, last) => {
      if (early) last();
      await gates.pass(`compute ${made}`, call.signal);
      return 10 * made;
    },
    signal,
  );
  return { events, results, open: gates.open };
}

test("the next item is made beside the computing of one, and not computed before it is asked for", async () => {
  const schedule = new Schedule();
  const { events, results, open } = stream(schedule, [0, 1, 2]);
  const first = results.next();
  await soon();
  assert.equal(events, ["make 0"]);
  await open("make 0");
  assert.equal(events, ["make 0", "compute 0", "make 1"]);
  await open("make 1");
  await open("compute 0");
  assert.equal(await first, { done: false, value: 0 });
  await soon();
  assert.equal(events, ["make 0", "compute 0", "make 1"], "the consumer has not come back");
  const second = results.next();
  await soon();
  assert.equal(events.slice(3), ["compute 1", "make 2"]);
  await open("compute 1");
  assert.is((await second).value, 10);
  const third = results.next();
  await open("make 2");
  await open("compute 2");
  assert.is((await third).value, 20);
  assert.ok((await results.next()).done);
});

test("an item that is not through with what it needs keeps the next from being made, until it is computed", async () => {
  const { events, results, open } = stream(new Schedule(), [0, 1], undefined, false);
  const first = results.next();
  await soon();
  await open("make 0");
  assert.equal(events, ["make 0", "compute 0"]);
  await open("compute 0");
  await first;
  await soon();
  assert.equal(events, ["make 0", "compute 0", "make 1"]);
  await results.return();
});

test("other calls come between two items; computing is one at a time, and so is what goes on beside", async () => {
  const schedule = new Schedule();
  const one = stream(schedule, [0, 1]);
  const other = stream(schedule, [0]);
  const firsts = [one.results.next(), other.results.next()];
  await soon();
  assert.equal([one.events, other.events], [["make 0"], []], "one beside");
  await one.open("make 0");
  assert.equal([one.events, other.events], [["make 0", "compute 0"], ["make 0"]]);
  await other.open("make 0");
  assert.equal([one.events, other.events], [["make 0", "compute 0", "make 1"], ["make 0"]], "one computes");
  const call = schedule.run(async () => "a call");
  await one.open("compute 0");
  assert.equal(other.events, ["make 0", "compute 0"]);
  await other.open("compute 0");
  assert.equal(
    (await Promise.all(firsts)).map(({ value }) => value),
    [0, 0],
  );
  assert.is(await call, "a call");
  await Promise.all([one.results.return(), other.results.return()]);
});

test("a call that aborts itself ends with the reason when its work has, and the next goes on", async () => {
  const schedule = new Schedule();
  const broken = new Error("broken");
  const call = schedule.run(async (own) => {
    own.abort(broken);
    own.signal.throwIfAborted();
  });
  assert.is(await rejection(call), broken);
  assert.is(await schedule.run(async ({ signal }) => signal.aborted), false);
});

for (const when of ["make 0", "compute 0", "make 1"]) {
  test(`an abort and a close at ${when}: the reason at once, and whatever runs has left`, async () => {
    for (const how of ["abort", "close"]) {
      const schedule = new Schedule();
      const controller = new AbortController();
      const { events, results, open } = stream(schedule, [0, 1, 2], controller.signal);
      let next = results.next();
      for (const step of ["make 0", "compute 0"]) {
        await soon();
        if (step === when || (when === "make 1" && step === "compute 0")) break;
        await open(step);
      }
      if (when === "make 1") {
        await open("compute 0");
        await next;
        next = results.next();
      }
      assert.ok(events.includes(when));
      const outcome = within(1000, next, how);
      if (how === "abort") {
        controller.abort("enough");
        assert.is(await rejection(outcome), "enough");
      } else {
        schedule.close();
        await refused(outcome, "E_DISPOSED", /^this model was disposed of; load it again$/);
      }
      await within(1000, schedule.idle(), "idle");
      assert.ok((await results.next()).done);
      if (how === "abort") assert.is(await schedule.run(async () => 1), 1);
      else
        await refused(
          schedule.run(async () => 1),
          "E_DISPOSED",
          /disposed/,
        );
    }
  });
}

test("closed while its source is waiting: E_DISPOSED at once", async () => {
  const schedule = new Schedule();
  const never: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
  const results = schedule.stream(
    never,
    async (item) => item,
    async (made) => made,
  );
  const next = results.next();
  await soon();
  schedule.close();
  await refused(within(1000, next, "close"), "E_DISPOSED", /disposed/);
});

test("idle is when both have left", async () => {
  const schedule = new Schedule();
  let left = 0;
  const slow = async (): Promise<void> => {
    await soon();
    left++;
  };
  const calls = [schedule.run(slow), schedule.beside(slow, new AbortController().signal)];
  await schedule.idle();
  assert.is(left, 2);
  await Promise.all(calls);
});

test.run();
