import { suite } from "uvu";
import * as assert from "uvu/assert";
import { describeMachine, describePackage, microarchitecture } from "../../bench/machine.js";

const test = suite("machine");

test("AMD's families by model, and nothing that is not known", () => {
  assert.is(microarchitecture(25, 17), "Zen 4");
  assert.is(microarchitecture(25, 97), "Zen 4");
  assert.is(microarchitecture(25, 1), "Zen 3");
  assert.is(microarchitecture(25, 33), "Zen 3");
  assert.is(microarchitecture(26, 2), "Zen 5");
  assert.is(microarchitecture(6, 143), undefined);
  assert.is(microarchitecture(Number.NaN, Number.NaN), undefined);
});

test("this machine and this package have a name each", () => {
  const machine = describeMachine();
  assert.ok(machine.cpu.length > 0 && machine.microarchitecture.length > 0 && machine.cores > 0);
  assert.match(describePackage().version, /^\d+\.\d+\.\d+/);
});

test.run();
