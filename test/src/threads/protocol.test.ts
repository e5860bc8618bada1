import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError } from "#dist/errors.js";
import { fromWire, toWire } from "#dist/threads/protocol.js";

const test = suite("threads/protocol");

function crossed(error: unknown): JanusError {
  return fromWire(structuredClone(toWire(error)));
}

test("a JanusError crosses with code, message, origin and stack", () => {
  const error = new JanusError("E_IO", "reading: expected 5 bytes, got 4", { origin: "model" });
  const arrived = crossed(error);
  assert.instance(arrived, JanusError);
  assert.equal(
    [arrived.name, arrived.code, arrived.message, arrived.origin, arrived.stack],
    ["JanusError", "E_IO", error.message, "model", error.stack],
  );
});

test("one without an origin has none afterwards", () => {
  assert.is(crossed(new JanusError("E_OOM", "no memory")).origin, undefined);
});

test("a trap, a bug and anything thrown become E_INTERNAL with what there is to say", () => {
  const trap = new WebAssembly.RuntimeError("memory access out of bounds");
  assert.is(crossed(trap).code, "E_INTERNAL");
  assert.is(crossed(trap).message, "a worker failed: memory access out of bounds; load the model again");
  assert.is(crossed(trap).stack, trap.stack);
  for (const thrown of ["text", 7, undefined, null, { odd: true }]) {
    const error = crossed(thrown);
    assert.is(error.code, "E_INTERNAL");
    assert.match(error.message, `a worker failed: ${String(thrown)}`);
  }
});

test.run();
