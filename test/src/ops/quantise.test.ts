import { suite } from "uvu";
import { LEVELS, levelElements } from "#dist/wasm/abi.js";
import { blocked } from "../../reference/column-block.js";
import { levelIndex, quantiseRow } from "../../reference/int8.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/quantise");
test.before(openTeams);
test.after(closeTeams);

test("rows of every number and width, on any number of workers", async ({ teams }) => {
  for (const rows of [1, 23, 24, 25, 50]) {
    for (const width of [1, 6, 256, 300, 520]) {
      const src = random(rows * width, width + rows);
      const exact = new Float32Array(rows * (width + 1));
      for (let r = 0; r < rows; r++) {
        const { levels, scale } = quantiseRow(src.subarray(r * width, (r + 1) * width));
        exact.set([...levels, scale], r * (width + 1));
      }
      const actual = await onEvery(teams, async (team) => {
        const elements = levelElements(rows, width);
        const zeros = team.take(rows * 4);
        const dst = { at: team.take(elements * 2), scales: team.take(rows * 4), zeros, form: LEVELS.wide };
        await team.call("quantise", dst, { at: team.put(blocked(src, rows, width)), rows }, width);
        const levels = new Int16Array(team.f32(dst.at, Math.ceil(elements / 2)).slice().buffer);
        const scales = team.f32(dst.scales, rows);
        return Float32Array.from({ length: exact.length }, (_, at) => {
          const [r, c] = [Math.floor(at / (width + 1)), at % (width + 1)];
          return c === width ? scales[r]! : levels[levelIndex(rows, r, c)]!;
        });
      });
      assertSameBits(actual, exact);
    }
  }
});

test.run();
