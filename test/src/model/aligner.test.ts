import { suite } from "uvu";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import { blockElements } from "#dist/wasm/abi.js";
import { blocked, unblocked } from "../../reference/column-block.js";
import { aligner } from "../../support/forward.js";
import { modelConfig, ODD_TOWER } from "../../support/model-config.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { placeActivations, placeWeights } from "../../support/placed-model.js";
import { closeTeams, onEvery, openTeams, type Teams } from "../../support/teams.js";

const test = suite<Teams>("model/aligner");
test.before(openTeams);
test.after(closeTeams);

for (const [name, depth] of [
  ["linear", 1],
  ["Linear, GELU, Linear", 2],
  ["three linears", 3],
  ["four linears", 4],
] as const) {
  test(name, async ({ teams }) => {
    const config = modelConfig({ ...ODD_TOWER, depth });
    const { tokens, width, dim } = config;
    const features = random(tokens * width, 1, 3);
    const placed = blocked(features, tokens, width);
    const embeds = await onEvery(teams, async (team) => {
      const weights = placeWeights(team, config, 0);
      const activations = { ...placeActivations(team, config), normed: team.put(placed) };
      const at = await team.call("project", config, weights, activations);
      assert.ok(
        at.every((address) => address === activations.embeds[(depth - 1) % 2]),
        "every worker knows where",
      );
      assertSameBits(unblocked(team.f32(activations.normed, placed.length), tokens, width), features);
      return unblocked(team.f32(at[0]!, blockElements(tokens, dim)), tokens, dim);
    });
    const found = difference(embeds, aligner(config, features), config.dim);
    assert.ok(isWithin(found), differenceText(found));
  });
}

test("identity: the features themselves, where they lie", async ({ teams }) => {
  const config = modelConfig({ ...ODD_TOWER, dim: ODD_TOWER.width, depth: 0 });
  const features = random(config.tokens * config.width, 1);
  const embeds = await onEvery(teams, async (team) => {
    const activations = { ...placeActivations(team, config), normed: team.put(features) };
    const [at] = await team.call("project", config, placeWeights(team, config, 0), activations);
    assert.is(at, activations.normed);
    return team.f32(activations.normed, features.length);
  });
  assertSameBits(embeds, features);
});

test.run();
