import { availableParallelism } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { availableThreads } from "#dist/entry/node/available-threads.js";

const test = suite("available threads");

const V2 = "/sys/fs/cgroup/cpu.max";
const V1 = { quota: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", period: "/sys/fs/cgroup/cpu/cpu.cfs_period_us" };

function threads(processors: number, files: Readonly<Record<string, string>>): number {
  return availableThreads(processors, (path) => files[path]);
}

test("without a quota: the processors, 16 at most", () => {
  for (const processors of [1, 2, 15, 16]) assert.is(threads(processors, {}), processors);
  assert.is(threads(64, {}), 16);
});

test("a quota of cgroup v2 in whole processors, at least one", () => {
  assert.is(threads(64, { [V2]: "200000 100000\n" }), 2);
  assert.is(threads(64, { [V2]: "250000 100000\n" }), 2);
  assert.is(threads(64, { [V2]: "50000 100000\n" }), 1);
  assert.is(threads(2, { [V2]: "800000 100000\n" }), 2);
  assert.is(threads(8, { [V2]: "max 100000\n" }), 8);
});

test("a quota of cgroup v1", () => {
  assert.is(threads(64, { [V1.quota]: "300000\n", [V1.period]: "100000\n" }), 3);
  assert.is(threads(8, { [V1.quota]: "-1\n", [V1.period]: "100000\n" }), 8);
});

test("what cannot be understood is no quota", () => {
  for (const text of ["", "0 100000", "100000 0", "many few", "-5 100000"]) {
    assert.is(threads(4, { [V2]: text }), 4, text);
  }
});

test("here: at least one, and no more than the processors", () => {
  const found = availableThreads();
  assert.ok(found >= 1 && found <= Math.min(16, availableParallelism()));
});

test.run();
