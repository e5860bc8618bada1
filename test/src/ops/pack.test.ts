import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packWeights } from "#dist/ops/pack.js";
import { NULL, PANEL, type Pointer, panelElements, STORAGE, STORAGE_BYTES, type Storage } from "#dist/wasm/abi.js";
import { assertSameBits } from "../../support/numbers.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { STORAGES, stored } from "../../support/stored.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/pack");
test.before(openTeams);
test.after(closeTeams);

/** Packs [columns, k] in pieces that begin where `cuts` says, and returns the panels' bytes. */
async function packed(
  team: Team,
  columns: number,
  k: number,
  storage: Storage,
  wide: boolean,
  cuts: readonly number[],
): Promise<Uint8Array> {
  const { bits } = stored(columns * k, columns + k, storage);
  const bytes = panelElements(columns, k) * (wide ? 4 : STORAGE_BYTES[storage]);
  const panels = team.take(bytes);
  for (const [piece, begin] of cuts.entries()) {
    const end = cuts[piece + 1] ?? columns;
    const src = team.put(bits.subarray(begin * k, end * k));
    const widened = team.take((end - begin) * k * 4);
    await team.call("packWeights", panels, src, widened, k, storage, wide, begin, end - begin);
  }
  return team.bytes(panels, bytes);
}

/** Column n, element i at (n / 8) * 8 * k + i * 8 + n % 8; the columns that are missing stay as the memory was. */
function expected(columns: number, k: number, storage: Storage, wide: boolean): Uint8Array {
  const { bits, values } = stored(columns * k, columns + k, storage);
  const source = wide ? values : bits;
  const panels =
    source.constructor === Uint16Array
      ? new Uint16Array(panelElements(columns, k))
      : new Float32Array(panelElements(columns, k));
  const bytes = new Uint8Array(panels.buffer).fill(0xff);
  for (let n = 0; n < columns; n++) {
    for (let i = 0; i < k; i++)
      panels[Math.floor(n / PANEL) * PANEL * k + i * PANEL + (n % PANEL)] = source[n * k + i]!;
  }
  return bytes;
}

for (const [name, storage] of STORAGES) {
  for (const wide of [false, true]) {
    test(`${name}${wide ? " widened" : ""}: whole and in pieces at any column, odd ones too`, async ({ teams }) => {
      for (const [columns, k, cuts] of [
        [1, 1, [0]],
        [8, 3, [0]],
        [50, 7, [0]],
        [50, 7, [0, 8, 24]],
        [50, 7, [0, 3, 4, 11, 16, 47]],
        [80, 5, [0, 27, 54]],
        [240, 80, [0, 80, 160]],
      ] as const) {
        const actual = await onEvery(teams, (team) => packed(team, columns, k, storage, wide, cuts));
        const what = `[${columns}, ${k}] cut at ${cuts}`;
        assert.equal(
          Buffer.from(actual).toString("hex"),
          Buffer.from(expected(columns, k, storage, wide)).toString("hex"),
          what,
        );
      }
    });
  }

  test(`${name}: vectors are widened exactly, to the element`, async ({ teams }) => {
    for (const count of [1, 3, 15, 16, 17, 100]) {
      const { bits, values } = stored(count, count, storage);
      const actual = await onEvery(teams, async (team) => {
        const dst = team.take(count * 4);
        await team.call("widen", dst, team.put(bits), storage, count);
        return team.f32(dst, count);
      });
      assertSameBits(actual, values);
    }
  });

  test(`${name}: every NaN and infinity is counted by one worker`, async ({ teams }) => {
    const [nan, infinity, largest] = {
      f32: [0x7fc00000, 0x7f800000, 0x7f7fffff],
      bf16: [0x7fc0, 0x7f80, 0x7f7f],
      f16: [0x7e00, 0x7c00, 0x7bff],
    }[name] as [number, number, number];
    for (const count of [1, 15, 16, 17, 33, 200]) {
      for (let at = 0; at < count; at++) {
        const words = name === "f32" ? new Uint32Array(count) : new Uint16Array(count);
        words.fill(largest);
        words[at] = at % 2 === 0 ? nan : infinity;
        words[(at * 7) % count] = at % 3 === 0 ? nan : words[(at * 7) % count]!;
        const bad = [...words].filter((word) => word !== largest).length;
        for (const team of teams) {
          const counts = await team.call("countNonFinite", team.put(words), storage, count);
          team.finish();
          assert.is(
            counts.reduce((sum, n) => sum + n, 0),
            bad,
            `${count}, ${at}, ${team.title}`,
          );
        }
      }
    }
  });
}

test("no two workers write the same panel", () => {
  for (const [column, rows] of [
    [0, 50],
    [3, 50],
    [5, 2],
    [7, 1],
    [8, 9],
  ] as const) {
    for (let count = 1; count <= 7; count++) {
      const owner = new Map<number, number>();
      let packedRows = 0;
      for (let index = 0; index < count; index++) {
        const at = 64 as Pointer;
        const calls = recordedCalls(index, count, (x) =>
          packWeights(x, at, at, NULL, 4, STORAGE.bf16, false, column, rows),
        );
        for (const { args } of calls) {
          const [columnBegin = 0, begin = 0, end = 0] = args.slice(-3);
          assert.is(columnBegin, column + begin);
          packedRows += end - begin;
          for (let row = begin; row < end; row++) {
            const panel = Math.floor((column + row) / PANEL);
            assert.is(owner.get(panel) ?? index, index, `panel ${panel} of ${column}+${rows}, ${count} workers`);
            owner.set(panel, index);
          }
        }
      }
      assert.is(packedRows, rows);
    }
  }
});

test.run();
