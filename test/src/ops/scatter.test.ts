import { suite } from "uvu";
import { assertSameBits, random } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/scatter");
test.before(openTeams);
test.after(closeTeams);

test("rows go to their index byte for byte, the others stay", async ({ teams }) => {
  for (const width of [1, 3, 8, 13, 96]) {
    for (const index of [[0], [8], [1, 2, 3], [0, 2, 4, 5, 8]]) {
      const before = random(9 * width, 1);
      const source = random(index.length * width, 2);
      // A signalling NaN: its bits survive only what is not arithmetic.
      new Uint32Array(source.buffer)[0] = 0x7fa12345;
      const actual = await onEvery(teams, async (team) => {
        const dst = team.put(before);
        await team.call("scatter", dst, team.put(source), team.put(Int32Array.from(index)), width, index.length);
        return team.bytes(dst, before.byteLength);
      });
      const expected = new Uint8Array(before.slice().buffer);
      const bytes = new Uint8Array(source.buffer);
      index.forEach((row, r) => {
        expected.set(bytes.subarray(r * width * 4, (r + 1) * width * 4), row * width * 4);
      });
      assertSameBits(actual, expected);
    }
  }
});

test.run();
