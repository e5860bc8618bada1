import { suite } from "uvu";
import * as assert from "uvu/assert";
import { random } from "../../support/numbers.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("ops/add");
test.before(openTeams);
test.after(closeTeams);

for (const into of ["another buffer", "the first", "the second"]) {
  test(`every tail, into ${into}`, async ({ teams }) => {
    for (const count of [1, 3, 4, 15, 16, 17, 31, 47, 48, 49, 1000]) {
      const [a, b] = [random(count, 1), random(count, 2)];
      const actual = await onEvery(teams, async (team) => {
        const [first, second] = [team.put(a), team.put(b)];
        const dst = { "another buffer": team.take(count * 4), "the first": first, "the second": second }[into];
        if (dst === undefined) throw new Error(into);
        await team.call("add", dst, first, second, count);
        return team.f32(dst, count);
      });
      assert.equal(
        actual,
        a.map((value, i) => value + b[i]!),
      );
    }
  });
}

test.run();
