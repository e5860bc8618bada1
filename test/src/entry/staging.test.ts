import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planStaging, ROOMS } from "#dist/entry/staging.js";
import type { Pointer } from "#dist/wasm/abi.js";
import { MEMORY_LIMIT } from "#dist/wasm/memory.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("entry/staging");

test("nothing overlaps, nothing lies before what is free, and all of it ends where it says", () => {
  for (const shared of [false, true]) {
    const free = 65_600 as Pointer;
    const { slices, rooms, end } = planStaging(free, 3, 5000, 1000, shared);
    assert.is(rooms.length, shared ? ROOMS : 0);
    const parts = [
      ...slices.map(({ widened }) => [widened, 2000] as const),
      ...(shared ? [] : slices.map(({ stored }) => [stored, 1000] as const)),
      ...rooms.map((room) => [room, 5000] as const),
    ].sort(([a], [b]) => a - b);
    let before: number = free;
    for (const [at, bytes] of parts) {
      assert.ok(at >= before && at % 64 === 0);
      before = at + bytes;
    }
    assert.ok(end >= before && end < before + 64);
  }
});

test("what does not fit below 4 GiB is E_OOM", () => {
  refusedNow(() => planStaging((MEMORY_LIMIT - 65_536) as Pointer, 1, 65_536, 1 << 17, true), "E_OOM", /4294967296/);
});

test.run();
