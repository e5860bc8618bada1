import { suite } from "uvu";
import * as assert from "uvu/assert";
import { takeEngineFlags } from "#dist/entry/engine-flags.js";
import type { EngineFlag, Host } from "#dist/entry/host.js";
import { nodeHost } from "#dist/entry/node/host.js";
import type { Variant } from "#dist/wasm/variants.js";
import { variantBytes } from "../../support/kernels.js";

const test = suite("engine flags");

/** A host with one made-up flag; whether the binaries run at all depends on it. */
function hostWith(runs: (on: boolean) => boolean): { host: Host; calls: boolean[]; asked: Variant[] } {
  const calls: boolean[] = [];
  const asked: Variant[] = [];
  let on = false;
  const flag: EngineFlag = {
    name: "--made-up",
    set(value) {
      calls.push(value);
      on = value;
    },
  };
  const binary = async (variant: Variant): Promise<Uint8Array<ArrayBuffer>> => {
    asked.push(variant);
    return runs(on) ? variantBytes(variant) : new Uint8Array(8);
  };
  return { host: { ...nodeHost(), binary, offeredFlags: () => [flag] }, calls, asked };
}

test("one that helps stays set", async () => {
  const { host, calls, asked } = hostWith((on) => on);
  assert.equal(await takeEngineFlags(host, "simd", 1), []);
  assert.equal(calls, [true]);
  assert.equal(asked, ["simd", "simd"]);
});

test("one that does not is taken back, and said so", async () => {
  const { host, calls } = hostWith((on) => !on);
  const notes = await takeEngineFlags(host, "simd", 2);
  assert.is(notes.length, 1);
  assert.match(notes[0] ?? "", /^--made-up not taken: [1-9]\d* GFLOP\/s without, 0 with$/);
  assert.equal(calls, [true, false]);
});

test("where nothing runs nothing is kept, and the reason is left to the load that follows", async () => {
  const { host, calls } = hostWith(() => false);
  assert.equal(await takeEngineFlags(host, "auto", 1), ["--made-up not taken: 0 GFLOP/s without, 0 with"]);
  assert.equal(calls, [true, false]);
});

test("a host that offers none is not timed", async () => {
  const { host, asked } = hostWith(() => true);
  assert.equal(await takeEngineFlags({ ...host, offeredFlags: () => [] }, "auto", 1), []);
  assert.equal(asked, []);
});

test.run();
