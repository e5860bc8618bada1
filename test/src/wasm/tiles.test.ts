import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TileName } from "#dist/wasm/abi.js";
import { LEVELS } from "#dist/wasm/abi.js";
import { chooseInt8Tile, chooseTile, raceTiles, TILES } from "#dist/wasm/tiles.js";
import { isThreaded } from "#dist/wasm/variants.js";
import { requiredVariants, variantBytes } from "../../support/kernels.js";

const test = suite("tiles");

/** An engine that runs every tile at the same rate until it has been called `after` times, then at its own. Microseconds. */
function engine(own: Record<TileName, number>, after: Record<TileName, number>, unoptimised = 70) {
  const calls: Record<TileName, number> = { "6x8": 0, "4x8": 0, "6x16": 0, "5x16": 0, "2x16": 0 };
  let clock = 0;
  return {
    calls,
    now: () => clock / 1000,
    sample(tile: TileName): void {
      calls[tile]++;
      clock += calls[tile] > after[tile] ? own[tile] : unoptimised;
    },
  };
}

const OWN = { "6x8": 16, "4x8": 18, "6x16": 30, "5x16": 31, "2x16": 20 };
const early = { "6x8": 30, "4x8": 8, "6x16": 60, "5x16": 12, "2x16": 20 };

test("waits until the engine has optimised every tile, then for steady minima", () => {
  const simulated = engine(OWN, early);
  const { best, unfinished, coarse } = raceTiles(simulated.sample, simulated.now);
  assert.equal([unfinished, coarse], [false, false]);
  for (const tile of TILES) assert.ok(Math.abs(best[tile] * 1000 - OWN[tile]) < 1e-6, `${tile}: ${best[tile]}`);
  assert.ok(simulated.now() < 20, `${simulated.now()} ms`);
});

test("an engine that never optimises one of them ends the race and is said so", () => {
  const simulated = engine(OWN, { ...early, "6x8": 1e9 });
  const { best, unfinished } = raceTiles(simulated.sample, simulated.now);
  assert.ok(unfinished);
  assert.ok(best["6x8"] > best["4x8"]);
  assert.ok(simulated.now() >= 100 && simulated.now() < 130, `${simulated.now()} ms`);
});

test("an engine whose code is optimised from the first call on gets its time, and no complaint", () => {
  const simulated = engine(OWN, { "6x8": 0, "4x8": 0, "6x16": 0, "5x16": 0, "2x16": 0 });
  const { best, unfinished } = raceTiles(simulated.sample, simulated.now);
  assert.not.ok(unfinished);
  assert.ok(best["6x8"] < best["4x8"]);
});

test("an interrupted sample changes nothing", () => {
  const simulated = engine(OWN, early);
  let samples = 0;
  let late = 0;
  const { best } = raceTiles(
    (tile) => {
      simulated.sample(tile);
      if (++samples === 6 || samples % 50 === 0) late++;
    },
    () => simulated.now() + late,
  );
  for (const tile of TILES) assert.ok(Math.abs(best[tile] * 1000 - OWN[tile]) < 1e-6, `${tile}: ${best[tile]}`);
});

test("a clock that stands still ends the race at once", () => {
  const simulated = engine(OWN, early);
  assert.ok(raceTiles(simulated.sample, () => Math.floor(simulated.now())).coarse);
  assert.ok(raceTiles(simulated.sample, () => 0).coarse);
  assert.ok(Object.values(simulated.calls).every((count) => count < 50));
});

test("every variant of this engine: a tile, its figures and no surprise; the fallback where the clock is coarse", () => {
  for (const variant of requiredVariants()) {
    const module = new WebAssembly.Module(variantBytes(variant));
    for (const [kind, form] of [["float"], ["int8", LEVELS.wide]] as const) {
      const { tile, gflops } = chooseTile(module, isThreaded(variant), "4x8", () => performance.now(), form);
      assert.equal(Object.keys(gflops), TILES);
      for (const name of TILES) assert.ok((gflops[name] ?? 0) > 0.1, `${variant} ${kind} ${name}: ${gflops[name]}`);
      assert.is(gflops[tile], Math.max(...Object.values(gflops)), `${variant} ${kind}: the fastest is taken`);
    }
    const untimed = { float: "6x8", int8: "6x8", levels: LEVELS.wide } as const;
    const { tile, levels, gflops } = chooseInt8Tile(module, isThreaded(variant), untimed, () => performance.now());
    assert.equal([levels, gflops[tile]], [LEVELS.wide, Math.max(...Object.values(gflops))], "no fused dot to choose");
    const fused = { ...untimed, levels: LEVELS.unsigned };
    const either = chooseInt8Tile(module, isThreaded(variant), fused, () => performance.now());
    assert.ok(Object.values(LEVELS).includes(either.levels) && (either.gflops[either.tile] ?? 0) > 0.1);
    const blind = chooseTile(module, isThreaded(variant), "6x8", () => 1);
    assert.equal(blind, { tile: "6x8", gflops: {}, notes: ["tile 6x8: the clock is too coarse to time tiles"] });
  }
});

test.run();
