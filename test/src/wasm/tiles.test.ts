import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LEVELS } from "#dist/wasm/abi.js";
import { chooseInt8Tile, chooseTile, raceTiles } from "#dist/wasm/tiles.js";
import { isThreaded } from "#dist/wasm/variants.js";
import { requiredVariants, variantBytes } from "../../support/kernels.js";

const test = suite("tiles");

/** An engine that runs every tile at the same rate until it has been called `after` times, then at its own; looking at its clock takes 40 ns. Microseconds. */
function engine(own: readonly number[], after: readonly number[], unoptimised = 70) {
  const calls = own.map(() => 0);
  let clock = 0;
  return {
    calls,
    now: () => {
      clock += 0.04;
      return clock / 1000;
    },
    sample(index: number): void {
      const call = ++calls[index]!;
      clock += call > after[index]! ? own[index]! : unoptimised;
    },
  };
}

const OWN = [16, 18, 30, 31, 20];
const COUNT = OWN.length;
const early = [30, 8, 60, 12, 20];

function isOwn(best: readonly number[]): void {
  best.forEach((time, index) => {
    assert.ok(Math.abs(time * 1000 - OWN[index]!) < 0.05, `${index}: ${time}`);
  });
}

test("waits until the engine has optimised every tile, then for steady minima", () => {
  const simulated = engine(OWN, early);
  const { best, unfinished, coarse } = raceTiles(COUNT, simulated.sample, simulated.now);
  assert.equal([unfinished, coarse], [false, false]);
  isOwn(best);
  assert.ok(simulated.now() < 20, `${simulated.now()} ms`);
});

test("an engine that never optimises one of them ends the race and is said so", () => {
  const simulated = engine(OWN, [1e9, ...early.slice(1)]);
  const { best, unfinished } = raceTiles(COUNT, simulated.sample, simulated.now);
  assert.ok(unfinished);
  assert.ok(best[0]! > best[1]!);
  assert.ok(simulated.now() >= 100 && simulated.now() < 130, `${simulated.now()} ms`);
});

test("an engine whose code is optimised from the first call on gets its time, and no complaint", () => {
  const simulated = engine(
    OWN,
    OWN.map(() => 0),
  );
  const { best, unfinished } = raceTiles(COUNT, simulated.sample, simulated.now);
  assert.not.ok(unfinished);
  assert.ok(best[0]! < best[1]!);
});

test("an interrupted sample changes nothing", () => {
  const simulated = engine(OWN, early);
  let samples = 0;
  let late = 0;
  const { best } = raceTiles(
    COUNT,
    (index) => {
      simulated.sample(index);
      if (++samples === 6 || samples % 50 === 0) late++;
    },
    () => simulated.now() + late,
  );
  isOwn(best);
});

/** A clock that shows multiples of a step, of microseconds. */
const inSteps = (simulated: { now: () => number }, step: number) => () =>
  (Math.floor((simulated.now() * 1000) / step) * step) / 1000;

test("by a clock in steps of 5 or 20 us, as browsers have on isolated pages, tiles that are 10 % apart are told apart", () => {
  for (const step of [5, 20]) {
    const own = [13, 11.7, 18, 14, 9, 16, 10, 12.5];
    const simulated = engine(
      own,
      own.map((_, index) => 10 + index),
    );
    const { best, unfinished, coarse } = raceTiles(own.length, simulated.sample, inSteps(simulated, step));
    assert.equal([unfinished, coarse], [false, false]);
    for (const [index, time] of best.entries())
      assert.ok(Math.abs(time * 1000 - own[index]!) < 0.05 * own[index]!, `${step}: ${index} ${time}`);
    assert.ok(simulated.now() < 100, `${simulated.now()} ms`);
  }
});

test("a clock that stands still, or in steps longer than a race may take, ends the race at once", () => {
  const simulated = engine(OWN, early);
  assert.ok(raceTiles(COUNT, simulated.sample, () => 0).coarse);
  for (const step of [100, 1000]) assert.ok(raceTiles(COUNT, simulated.sample, inSteps(simulated, step)).coarse);
  assert.equal(simulated.calls, [0, 0, 0, 0, 0]);
});

test("every variant of this engine: a tile, its figures and no surprise; the fallback where the clock is coarse", () => {
  const now = (): number => performance.now();
  const untimed = { float: "6x8", int8: "6x8", levels: LEVELS.wide } as const;
  for (const variant of requiredVariants()) {
    const module = new WebAssembly.Module(variantBytes(variant));
    const shared = isThreaded(variant);
    const [floats, int8] = [chooseTile(module, shared, "4x8", now), chooseInt8Tile(module, shared, untimed, now)];
    assert.equal(Object.keys(floats.gflops), ["6x8", "4x8", "6x16", "5x16", "2x16"]);
    assert.is(Object.keys(int8.gflops).length, 8, "plain and crossed");
    assert.is(int8.levels, int8.label.startsWith("plain") ? LEVELS.wide : LEVELS.crossed);
    const fused = chooseInt8Tile(module, shared, { ...untimed, levels: LEVELS.unsigned }, now);
    assert.is(Object.keys(fused.gflops).length, 13, "and fused");
    for (const { tile, label, gflops } of [floats, int8, fused]) {
      for (const [name, rate] of Object.entries(gflops)) assert.ok(rate > 0.1, `${variant} ${name}: ${rate}`);
      assert.is(gflops[label], Math.max(...Object.values(gflops)), `${variant} ${label}: the fastest is taken`);
      assert.ok(label.endsWith(tile));
    }
    const { tile, gflops, notes } = chooseTile(module, shared, "6x8", () => 1);
    assert.equal([tile, gflops, notes], ["6x8", {}, ["tile 6x8: the clock is too coarse to time tiles"]]);
    assert.is(chooseInt8Tile(module, shared, untimed, () => 1).levels, LEVELS.wide);
  }
});

test.run();
