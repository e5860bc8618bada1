import { suite } from "uvu";
import { assertSameBits, random } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/normalise");
test.before(openTeams);
test.after(closeTeams);

test("every level of every channel is looked up, channels come apart", async ({ teams }) => {
  const lut = random(3 * 256, 1);
  for (const size of [1, 3, 16, 33, 96]) {
    const src = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 89) % 256);
    const actual = await onEvery(teams, async (team) => {
      const dst = team.take(src.length * 4);
      await team.call("normalise", dst, team.put(src), team.put(lut), size);
      return team.f32(dst, src.length);
    });
    const expected = Float32Array.from(src, (_, i) => {
      const channel = Math.floor(i / size ** 2);
      return lut[channel * 256 + src[(i % size ** 2) * 3 + channel]!]!;
    });
    assertSameBits(actual, expected);
  }
});

test.run();
