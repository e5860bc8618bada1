import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertSameBits } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/canvas");
test.before(openTeams);
test.after(closeTeams);

test("a colour fills every pixel and nothing else", async ({ teams }) => {
  for (const pixels of [1, 5, 63, 64, 65, 128, 193, 1000]) {
    const actual = await onEvery(teams, async (team) => {
      const dst = team.take(pixels * 3);
      await team.call("fillRgb", dst, [1, 127, 250], pixels);
      return team.bytes(dst, pixels * 3);
    });
    assert.equal(
      actual,
      Uint8Array.from({ length: pixels * 3 }, (_, i) => [1, 127, 250][i % 3]!),
    );
  }
});

test("rows are copied into a larger picture, what lies between them stays", async ({ teams }) => {
  for (const rows of [1, 2, 3, 7, 50]) {
    for (const elements of [1, 3, 17, 96]) {
      const [from, to] = [elements + 2, elements + 5];
      const source = Uint8Array.from({ length: rows * from }, (_, i) => (i * 7) % 251);
      const actual = await onEvery(teams, async (team) => {
        const dst = team.put(new Uint8Array(rows * to).fill(9));
        await team.call("copyRows", dst, team.put(source), elements, from, to, rows);
        return team.bytes(dst, rows * to);
      });
      const expected = new Uint8Array(rows * to).fill(9);
      for (let y = 0; y < rows; y++) expected.set(source.subarray(y * from, y * from + elements), y * to);
      assertSameBits(actual, expected);
    }
  }
});

test.run();
