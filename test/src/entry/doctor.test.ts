import { suite } from "uvu";
import * as assert from "uvu/assert";
import { examine } from "#dist/entry/doctor.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { chooseVariant } from "#dist/entry/variant.js";
import { VARIANTS } from "#dist/wasm/variants.js";
import { RELAXED_EXPECTED } from "../../support/engine.js";

const test = suite("entry/doctor");

const host = nodeHost();

test("every variant is tried, with a reason either way", async () => {
  const { variants, tiles } = await examine(host);
  assert.equal(
    variants.map(({ name }) => name),
    [...VARIANTS],
  );
  for (const { name, ok, why } of variants) {
    assert.is(ok, RELAXED_EXPECTED || !name.startsWith("relaxed"), name);
    assert.ok(why.length > 0);
    assert.is(name in tiles, ok, "a tile for each that runs");
    const found = tiles[name];
    for (const { tile, gflops } of found ? [found, found.int8] : [])
      assert.is(gflops[tile], Math.max(...Object.values(gflops)), `${name}: the fastest is taken`);
  }
});

test("what is said to be the default is what loading takes", async () => {
  for (const threads of [1, 4]) {
    const { notes, ...said } = await examine({ ...host, availableThreads: () => threads });
    const { variant, fma, dot8 } = await chooseVariant(host, "auto", threads);
    assert.is(notes[0], `${variant} is taken by default`);
    assert.is(said.threads, threads);
    assert.ok(said.features.sharedMemory);
    if (variant.startsWith("relaxed")) assert.equal([said.features.fma, said.features.dot8], [fma, dot8]);
    else assert.is(said.features.fma, false);
  }
});

test("engine and flags are the host's; the whole survives JSON", async () => {
  const diagnosis = await examine({ ...host, engineFlags: () => ["--wasm-x"] });
  assert.match(diagnosis.engine, `node ${process.versions.node}`);
  assert.equal(diagnosis.engineFlags, ["--wasm-x"]);
  assert.equal(JSON.parse(JSON.stringify(diagnosis)), diagnosis);
});

test("an engine that runs nothing is described, not refused", async () => {
  const diagnosis = await examine({ ...host, binary: async () => new Uint8Array(8) });
  assert.ok(diagnosis.variants.every(({ ok }) => !ok));
  assert.equal([diagnosis.features, diagnosis.tiles], [{ fma: false, dot8: "absent", sharedMemory: false }, {}]);
});

test.run();
