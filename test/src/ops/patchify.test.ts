import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blockElements } from "#dist/wasm/abi.js";
import { unblocked } from "../../reference/column-block.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/patchify");
test.before(openTeams);
test.after(closeTeams);

test("token y * grid + x holds its patch in the order of an OIHW weight", async ({ teams }) => {
  for (const [size, patch] of [
    [1, 1],
    [4, 4],
    [6, 2],
    [21, 7],
    [28, 14],
    [64, 16],
  ] as const) {
    const grid = size / patch;
    const pixels = Float32Array.from({ length: 3 * size * size }, (_, i) => i);
    const actual = await onEvery(teams, async (team) => {
      const columns = 3 * patch * patch;
      const dst = team.take(blockElements(grid * grid, columns) * 4);
      await team.call("patchify", dst, team.put(pixels), size, patch);
      return unblocked(team.f32(dst, blockElements(grid * grid, columns)), grid * grid, columns);
    });
    const expected: number[] = [];
    for (let token = 0; token < grid * grid; token++) {
      for (let c = 0; c < 3; c++) {
        for (let ky = 0; ky < patch; ky++) {
          for (let kx = 0; kx < patch; kx++) {
            const y = Math.floor(token / grid) * patch + ky;
            expected.push((c * size + y) * size + (token % grid) * patch + kx);
          }
        }
      }
    }
    assert.equal([...actual], expected, `${size} by ${patch}`);
  }
});

test.run();
