import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError, quote } from "#dist/errors.js";

const test = suite("errors");

test("a value is quoted, cut and never fails", () => {
  assert.is(quote("a\nb"), String.raw`"a\nb"`);
  assert.is(quote(3n), "3");
  assert.is(quote(undefined), "undefined");
  assert.is(quote({ a: [1] }), '{"a":[1]}');
  assert.match(quote("x".repeat(200)), /^"x{79}… \(202 characters\)$/);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assert.is(quote(cycle), "[object Array]");
  let deep: unknown = [];
  for (let i = 0; i < 200_000; i++) deep = [deep];
  assert.match(quote(deep), /^\[/);
});

test("code, origin and cause are kept", () => {
  const cause = new Error("why");
  const error = new JanusError("E_IO", "reading", { cause, origin: "input" });
  assert.equal([error.code, error.origin, error.cause, error.name], ["E_IO", "input", cause, "JanusError"]);
  assert.is(new JanusError("E_OOM", "x").origin, undefined);
});

test.run();
