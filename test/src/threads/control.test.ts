import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONTROL_BYTES, resetControl, STOP, stopProgram, WORD } from "#dist/threads/control.js";

const test = suite("threads/control");

function block(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
}

/** Atomics.waitAsync, which is newer than the library this project is typed with. */
function waitAsync(words: Int32Array, index: number, value: number): Promise<string> | string {
  type Wait = (words: Int32Array, index: number, value: number) => { value: Promise<string> | string };
  return (Atomics as unknown as { waitAsync: Wait }).waitAsync(words, index, value).value;
}

test("stopping says why, moves the generation on and wakes who waits for it", async () => {
  const control = block();
  const woken = waitAsync(control, WORD.generation, 0);
  stopProgram(control, STOP.cancelled);
  assert.is(await woken, "ok");
  assert.equal([control[WORD.stop], control[WORD.generation]], [STOP.cancelled, 1]);
});

test("a reset keeps the generation: a late worker must not find the one it read", () => {
  const control = block();
  control[WORD.arrived] = 2;
  control[WORD.claimed] = 9;
  stopProgram(control, STOP.failed);
  resetControl(control);
  assert.equal([...control.subarray(0, 3)], [0, 1, STOP.run]);
  assert.is(control[WORD.claimed], 0);
});

test("the generation wraps around", () => {
  const control = block();
  control[WORD.generation] = 2 ** 31 - 1;
  stopProgram(control, STOP.failed);
  assert.is(control[WORD.generation], -(2 ** 31));
});

test("the words fit the block, are the barrier's, and claims have a cache line of their own", () => {
  assert.equal(WORD, { arrived: 0, generation: 1, stop: 2, claimed: 16 });
  assert.is(CONTROL_BYTES, 128);
  assert.is(STOP.run, 0);
});

test.run();
