import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bicubicTable } from "#dist/image/resample.js";
import type { OpContext } from "#dist/ops/context.js";
import { resizeHorizontal, resizeVertical } from "#dist/ops/resize.js";
import type { Pointer } from "#dist/wasm/abi.js";
import { assertSameBits } from "../../support/numbers.js";
import { recordedCalls } from "../../support/recorded-calls.js";
import { resize } from "../../support/resize.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/resize");
test.before(openTeams);
test.after(closeTeams);

const SIZES = [
  [1, 1],
  [1, 40],
  [40, 1],
  [17, 33],
  [100, 70],
  [333, 90],
] as const;

function picture(width: number, height: number) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + i * 7) % 256);
  return { width, height, data };
}

for (const target of [1, 14, 96]) {
  test(`the horizontal pass to ${target} is Pillow's to the byte`, async ({ teams }) => {
    for (const [width, height] of SIZES) {
      const image = picture(width, height);
      const table = bicubicTable(width, target);
      const actual = await onEvery(teams, async (team) => {
        const dst = team.take(target * height * 3);
        const tables = { bounds: team.put(table.bounds), weights: team.put(table.weights), taps: table.taps };
        await team.call("resizeHorizontal", dst, team.put(image.data), tables, width, target, height);
        return team.bytes(dst, target * height * 3);
      });
      // The plain pass, also where the width stays: the table is then the identity.
      const expected = width === target ? image.data : resize(image, target, height);
      assertSameBits(actual, expected, `${width} x ${height}`);
    }
  });

  test(`the vertical pass to ${target} is, too, into a wider picture`, async ({ teams }) => {
    for (const [width, height] of SIZES) {
      const image = picture(width, height);
      const table = bicubicTable(height, target);
      const stride = width * 3 + 5;
      const actual = await onEvery(teams, async (team) => {
        const dst = team.put(new Uint8Array(target * stride).fill(9));
        const tables = { bounds: team.put(table.bounds), weights: team.put(table.weights), taps: table.taps };
        await team.call("resizeVertical", dst, team.put(image.data), tables, width * 3, stride, target);
        return team.bytes(dst, target * stride);
      });
      const rows = height === target ? image.data : resize(image, width, target);
      const expected = new Uint8Array(target * stride).fill(9);
      for (let y = 0; y < target; y++) expected.set(rows.subarray(y * width * 3, (y + 1) * width * 3), y * stride);
      assertSameBits(actual, expected, `${width} x ${height}`);
    }
  });
}

test("workers share the rows, in slices of a millisecond with a poll before each", () => {
  const at = 64 as Pointer;
  for (const [width, taps] of [
    [96, 9],
    [384, 86],
    [384, 10417],
    [4096, 977],
  ] as const) {
    const tables = { bounds: at, weights: at, taps };
    for (const rows of [1, 31, 33, 1000]) {
      for (const count of [1, 2, 3]) {
        for (const op of [
          (x: OpContext) => resizeHorizontal(x, at, at, tables, 5000, width, rows),
          (x: OpContext) => resizeVertical(x, at, at, tables, width * 3, width * 3, rows),
        ]) {
          let next = 0;
          for (let index = 0; index < count; index++) {
            recordedCalls(index, count, op).forEach(({ args, polls }, call) => {
              const [begin = -1, end = -1] = args.slice(-2);
              assert.is(begin, next, "in order, without a gap");
              assert.ok(end > begin && polls > call);
              assert.ok((end - begin) * width * 3 * taps <= 4e6 || end - begin === 1, `${end - begin} rows at once`);
              next = end;
            });
          }
          assert.is(next, rows);
        }
      }
    }
  }
});

test.run();
