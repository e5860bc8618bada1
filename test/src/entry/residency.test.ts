/** What stays in memory and what comes and goes, by the budget. That it then computes the same bytes is held by streamed-weights.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "#dist/entry/load.js";
import type { ResidencyOptions } from "#dist/entry/planned-residency.js";
import { planResidency } from "#dist/entry/residency.js";
import { sequenceBytes } from "#dist/entry/stages.js";
import { towerFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { ODD_TOWER, type Tower } from "../../support/model-config.js";
import { refused } from "../../support/refusal.js";

const test = suite("entry/residency");

/** Blocks of about 170 KB, so that a page of WebAssembly memory does not hold several. */
const TOWER: Tower = { ...ODD_TOWER, width: 64, heads: 4, mlpWidth: 200, dim: 100, blocks: 5 };
const model = await openModel(memorySource(towerFiles(TOWER, 10)));
const options: ResidencyOptions = {
  dtype: "auto",
  threads: 1,
  residency: "stream",
  memoryBudget: undefined,
  canShare: true,
};

/** Which parts stay. */
async function staying(memoryBudget: number | undefined): Promise<boolean[]> {
  const { plan } = await planResidency(model, { ...options, memoryBudget });
  return plan.parts.map(({ slot }) => slot === undefined);
}

test("without a budget a resident model keeps everything, and a streamed one the last norm alone", async () => {
  const resident = await planResidency(model, { ...options, residency: "resident" });
  assert.is(resident.stream, undefined);
  assert.is(resident.shared, false);
  assert.ok(resident.plan.parts.every(({ slot }) => slot === undefined));
  assert.equal(await staying(undefined), [false, false, false, false, false, false, true, false]);
});

test("the larger the budget, the more of the first parts stay, up to all; never more bytes than it", async () => {
  const least = (await planResidency(model, options)).bytes;
  const most = (await planResidency(model, { ...options, memoryBudget: 1e9 })).bytes;
  let before = 0;
  for (let budget = least; budget < most + 65536; budget += 16384) {
    const planned = await planResidency(model, { ...options, memoryBudget: budget });
    assert.ok(planned.bytes <= budget, `${planned.bytes} of ${budget}`);
    assert.ok(planned.plan.limit <= budget);
    const stays = await staying(budget);
    const first = stays.indexOf(false) === -1 ? stays.length : stays.indexOf(false);
    assert.equal(stays.filter((stay, part) => stay && part > first && part !== 6).length, 0, "the first ones");
    assert.ok(first >= before, "never fewer");
    before = first;
  }
  assert.is(before, 8);
});

test("parts that come take the places in turn, clear of what stays and of each other", async () => {
  for (const threads of [1, 2])
    for (const canShare of [true, false]) {
      const { plan, stream, shared } = await planResidency(model, { ...options, threads, canShare });
      assert.is(shared, threads > 1 || canShare);
      // Not packed: what is read is packed from a room, to one place.
      assert.equal([stream?.inPlace, new Set(plan.parts.map(({ slot }) => slot))], [false, new Set([undefined, 0])]);
      assert.is(stream?.staging.rooms.length, shared ? 1 : 0);
      const begins = plan.parts.flatMap(({ slot, placements }) => (slot === 0 ? [placements[0]!.at] : []));
      assert.is(new Set(begins).size, 1);
      assert.ok(stream!.staging.end <= plan.scratch, "what arrives is clear of what is computed with");
      assert.ok(stream!.staging.slices.every(({ widened }) => widened >= plan.arriving));
    }
});

test("sequences and square pictures are planned for", async () => {
  for (const residency of ["resident", "stream"] as const) {
    const { plan, bytes } = await planResidency(model, { ...options, residency });
    assert.ok(bytes >= plan.free && bytes >= plan.idle + sequenceBytes(model.config));
    assert.is(bytes % 65536, 0);
  }
  assert.is(sequenceBytes({ dim: 2048, maxPositions: 16384 }), 1024 * (2048 * 8 + 4) + 192);
  assert.is(sequenceBytes({ dim: 4, maxPositions: 10 }), 10 * 36 + 192);
});

test("a budget that is too small is E_OOM with what is needed, and what is needed is enough", async () => {
  for (const residency of ["resident", "stream"] as const) {
    for (const threads of [1, 3]) {
      const asked = { ...options, residency, threads };
      for (const memoryBudget of [1, 1000, 100_000]) {
        const error = await refused(planResidency(model, { ...asked, memoryBudget }), "E_OOM", /at least \d+ bytes/);
        const needed = Number(/at least (\d+) bytes/.exec(error.message)?.[1]);
        assert.is((await planResidency(model, { ...asked, memoryBudget: needed })).bytes, needed);
        await refused(planResidency(model, { ...asked, memoryBudget: needed - 1 }), "E_OOM");
      }
    }
  }
});

test("an aligner without layers has nothing that could come", async () => {
  const identity = await openModel(memorySource(towerFiles({ ...ODD_TOWER, dim: 10, depth: 0 }, 10)));
  const { plan } = await planResidency(identity, options);
  assert.equal(
    plan.parts.slice(-2).map(({ slot, placements }) => [slot, placements.length]),
    [
      [undefined, 2],
      [undefined, 0],
    ],
  );
});

test.run();
