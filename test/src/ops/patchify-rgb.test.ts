import { suite } from "uvu";
import { blockElements } from "#dist/wasm/abi.js";
import { unblocked } from "../../reference/column-block.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/patchify-rgb");
test.before(openTeams);
test.after(closeTeams);

test("the bytes of normalise and patchify, on every team", async ({ teams }) => {
  const lut = random(3 * 256, 1);
  for (const [size, patch] of [
    [1, 1],
    [4, 4],
    [6, 2],
    [21, 7],
    [28, 14],
    [64, 16],
  ] as const) {
    const tokens = (size / patch) ** 2;
    const columns = 3 * patch * patch;
    const count = blockElements(tokens, columns);
    const square = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 89) % 256);
    await onEvery(teams, async (team) => {
      const [src, levels] = [team.put(square), team.put(lut)];
      const [pixels, planes, dst] = [team.take(square.length * 4), team.take(count * 4), team.take(count * 4)];
      await team.call("normalise", pixels, src, levels, size);
      await team.call("patchify", planes, pixels, size, patch);
      await team.call("patchifyRgb", dst, src, levels, size, patch);
      const actual = unblocked(team.f32(dst, count), tokens, columns);
      assertSameBits(actual, unblocked(team.f32(planes, count), tokens, columns), `${size} by ${patch}`);
      return actual;
    });
  }
});

test.run();
