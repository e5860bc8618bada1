import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Interruption, retryAfterMs, withRetries } from "#dist/weights/retry.js";
import { rejection, within } from "../../support/waiting.js";

const test = suite("weights/retry");

const fail = (reason: string, cause: unknown): Error => new Error(`failed: ${reason}`, { cause });
const RULES = { retries: 2, backoffMs: 1, fail };

/** Attempts that fail with these, and then give "done". */
function attempts(...failures: Error[]): { readonly run: () => Promise<string>; readonly count: () => number } {
  let at = 0;
  const run = async (): Promise<string> => {
    const failure = failures[at++];
    if (failure) throw failure;
    return "done";
  };
  return { run, count: () => at };
}

test("interruptions are repeated, as often in a row as was said; other errors are not", async () => {
  const cut = new Interruption("got a cut");
  const twice = attempts(cut, cut);
  assert.is(await withRetries(twice.run, RULES), "done");
  assert.is(twice.count(), 3);
  const cause = new Error("below");
  const thrice = attempts(cut, cut, new Interruption("got a cut; next", { cause }), cut);
  const error = (await rejection(withRetries(thrice.run, RULES))) as Error;
  assert.is(error.message, "failed: got a cut, 3 times in a row; next");
  assert.is(error.cause, cause);
  const other = new Error("other");
  assert.is(await rejection(withRetries(attempts(cut, other).run, RULES)), other);
});

test("one that brought something does not count", async () => {
  const some = new Interruption("got some", { progressed: true });
  const cut = new Interruption("got a cut");
  const many = attempts(some, some, some, cut, some, cut, cut);
  assert.is(await withRetries(many.run, RULES), "done");
});

test("waits are doubled, and as long as the server asks for, within a minute", async () => {
  const started = performance.now();
  const cut = new Interruption("got a cut");
  await withRetries(attempts(cut, cut).run, { ...RULES, backoffMs: 40 });
  const elapsed = performance.now() - started;
  assert.ok(elapsed >= 58 && elapsed < 2000, `${elapsed} ms for 20 to 40 and 40 to 80`);
  const asked = performance.now();
  await withRetries(attempts(new Interruption("busy", { waitMs: 150 })).run, RULES);
  assert.ok(performance.now() - asked >= 148);
  const long = withRetries(attempts(new Interruption("busy", { waitMs: 60_001 })).run, RULES);
  assert.is(((await within(1000, rejection(long), "an error")) as Error).message, "failed: busy; it asks to wait 61 s");
});

test("an abort ends a wait at once, and is the error whatever the attempt threw", async () => {
  const abort = new AbortController();
  const waiting = rejection(withRetries(attempts(new Interruption("x", { waitMs: 50_000 })).run, RULES, abort.signal));
  setTimeout(() => abort.abort("stopped"), 20);
  assert.is(await within(1000, waiting, "an abort"), "stopped");
  assert.is(await rejection(withRetries(attempts(new Error("other")).run, RULES, abort.signal)), "stopped");
});

test("Retry-After: seconds, a date by the server's clock, nothing", () => {
  const after = (value: string, date?: string): number | undefined =>
    retryAfterMs(new Headers({ "retry-after": value, ...(date && { date }) }));
  assert.is(after("7"), 7000);
  assert.is(after("0"), 0);
  assert.is(after("Mon, 01 Jan 2024 00:01:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"), 60_000);
  assert.is(after("Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:01:00 GMT"), 0);
  assert.is(after("Mon, 01 Jan 2024 00:00:00 GMT"), 0);
  assert.is(after("soon"), undefined);
  assert.is(retryAfterMs(new Headers()), undefined);
});

test.run();
