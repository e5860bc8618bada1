import { suite } from "uvu";
import * as assert from "uvu/assert";
import { STORAGES, stored } from "../../support/stored.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/gather");
test.before(openTeams);
test.after(closeTeams);

for (const [name, storage] of STORAGES) {
  test(`${name}: rows by index, in any order and again, widened exactly`, async ({ teams }) => {
    for (const width of [1, 3, 8, 13, 72]) {
      const table = stored(12 * width, width, storage);
      for (const index of [[0], [11], [3, 3, 3], [11, 0, 5, 5, 1, 10, 0]]) {
        const actual = await onEvery(teams, async (team) => {
          const dst = team.take(index.length * width * 4);
          const rows = team.put(Int32Array.from(index));
          await team.call("gather", dst, team.put(table.bits), rows, width, storage, index.length);
          return team.f32(dst, index.length * width);
        });
        const expected = index.flatMap((row) => [...table.values.subarray(row * width, (row + 1) * width)]);
        assert.equal([...actual], expected);
      }
    }
  });
}

test.run();
