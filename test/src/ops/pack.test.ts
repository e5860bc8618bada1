import { suite } from "uvu";
import * as assert from "uvu/assert";
import { offset } from "#dist/ops/context.js";
import { largestSlice, packPieces, type StoredPiece, sliceCount } from "#dist/ops/pack.js";
import { PANEL, type Pointer, panelElements, STORAGE, STORAGE_BYTES, type Storage } from "#dist/wasm/abi.js";
import { assertSameBits } from "../../support/numbers.js";
import { WIDENED_BYTES } from "../../support/op-programs.js";
import { type KernelCall, recordedCalls } from "../../support/recorded-calls.js";
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
    const widened = team.take(3 * WIDENED_BYTES);
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
        [2500, 90, [0, 1003]],
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
    for (const count of [1, 3, 15, 16, 17, 100, 70_000]) {
      const { bits, values } = stored(count, count, storage);
      const actual = await onEvery(teams, async (team) => {
        const dst = team.take(count * 4);
        const cut = Math.floor(count / 3);
        const bytes = STORAGE_BYTES[storage];
        const src = team.put(bits);
        await team.call("packVector", dst, src, storage, 0, cut);
        await team.call("packVector", dst, (src + cut * bytes) as Pointer, storage, cut, count - cut);
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

const AT = 64 as Pointer;

/** The kernel calls for one piece, all of whose slices go to one worker, and lie at `from`. */
function calls(piece: StoredPiece, from: Pointer = offset(AT, 1)): readonly KernelCall[] {
  return recordedCalls(0, 1, (x) => packPieces(x, [piece], { take: () => from, done: () => {} }, AT));
}

test("slices meet at panels, each is what a worker has room for, and the stop word is looked at before each", () => {
  for (const [first, count, k] of [
    [0, 5000, 100],
    [3, 5000, 100],
    [5, 2, 100],
    [7, 1, 4],
    [8, 9, 100_000],
  ] as const) {
    const piece: StoredPiece = {
      placement: { kind: "panels", at: AT, k, wide: false },
      stored: STORAGE.bf16,
      first,
      count,
    };
    const packs = calls(piece).filter(({ kernel }) => kernel === "packPanels");
    assert.is(packs.length, sliceCount(piece));
    let next = first;
    for (const { args } of packs) {
      const [column = 0, begin = 0, end = 0] = args.slice(-3);
      assert.equal([column, begin], [next, 0]);
      assert.ok(column === first || column % PANEL === 0, `a slice begins at column ${column}`);
      assert.ok(end * k * 2 <= largestSlice(k * 2));
      next += end;
    }
    assert.is(next, first + count);
    assert.equal(new Set(packs.map(({ polls }) => polls)).size, packs.length);
  }
});

test("a slice is checked before it is packed, and every piece is told of", () => {
  const placement = { kind: "vector", at: AT } as const;
  const piece: StoredPiece = { placement, stored: STORAGE.f32, first: 0, count: 70_000 };
  const asked: string[] = [];
  recordedCalls(0, 1, (x) => {
    const take = (index: number, from: number, bytes: number): Pointer => {
      asked.push(`${index} ${from}+${bytes}`);
      return offset(AT, 1);
    };
    packPieces(x, [piece, { ...piece, count: 3 }], { take, done: (index) => asked.push(`${index}`) }, AT);
  });
  const slice = 128 << 10;
  assert.equal(asked, [
    `0 0+${slice}`,
    "0",
    `0 ${slice}+${slice}`,
    "0",
    `0 ${2 * slice}+${280_000 - 2 * slice}`,
    "0",
    "1 0+12",
    "1",
  ]);
  assert.equal(
    calls(piece).map(({ kernel }) => kernel),
    ["countNonFinite", "widen", "countNonFinite", "widen", "countNonFinite", "widen"],
  );
});

test("what lies in its place is looked through, and not moved", () => {
  const vector: StoredPiece = { placement: { kind: "vector", at: AT }, stored: STORAGE.f32, first: 0, count: 100 };
  const copy: StoredPiece = { placement: { kind: "copy", at: AT }, stored: STORAGE.bf16, first: 0, count: 100 };
  const levels: StoredPiece = { placement: { kind: "copy", at: AT }, stored: "int8", first: 0, count: 100 };
  for (const [piece, kernels] of [
    [vector, ["countNonFinite"]],
    [copy, ["countNonFinite"]],
    [levels, []],
  ] as const) {
    assert.equal(
      calls(piece, AT).map(({ kernel }) => kernel),
      kernels,
    );
  }
});

test.run();
