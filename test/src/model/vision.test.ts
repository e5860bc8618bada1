/** The tower's wiring on a small odd one; against PyTorch it is held by test/acceptance/cases.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import type { ImageForm } from "#dist/model/vision.js";
import { blockElements } from "#dist/wasm/abi.js";
import { unblocked } from "../../reference/column-block.js";
import { tower } from "../../support/forward.js";
import { modelConfig, ODD_TOWER } from "../../support/model-config.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { placeActivations, placeWeights } from "../../support/placed-model.js";
import { closeTeams, onEvery, openTeams, type Team, type Teams } from "../../support/teams.js";

const test = suite<Teams>("model/vision");
test.before(openTeams);
test.after(closeTeams);

const config = modelConfig({ ...ODD_TOWER, blocks: 3 });
const { tokens, width } = config;
const pixels = random(3 * config.imageSize ** 2, 1);
const square = Uint8Array.from({ length: pixels.length }, (_, i) => (i * 89) % 256);
const levels = random(3 * 256, 2);
const STAGES = ["vision.patch_embed", "vision.block.0", "vision.block.1", "vision.block.2"];

interface Encoded {
  readonly features: Float32Array;
  /** Of every worker. */
  readonly taps: readonly (readonly (readonly [string, Float32Array])[])[];
}

async function encode(team: Team, taps: boolean, blocks = config.blocks): Promise<Encoded> {
  const weights = placeWeights(team, config, blocks);
  const activations = { ...placeActivations(team, config), pixels: team.put(pixels) };
  const seen = await team.call("encode", config, weights, activations, "pixels", taps);
  const features = unblocked(team.f32(activations.normed, blockElements(tokens, width)), tokens, width);
  return { features, taps: seen };
}

function check(stage: string, actual: Float32Array, exact: Float64Array | undefined): void {
  if (!exact) throw new Error(`no stage ${stage}`);
  const found = difference(actual, exact, width);
  assert.ok(isWithin(found), `${stage}: ${differenceText(found)}`);
}

test("features are those of the tower in double precision", async ({ teams }) => {
  const features = await onEvery(teams, async (team) => (await encode(team, false)).features);
  check("vision.norm", features, tower(config, pixels).get("vision.norm"));
});

test("a square gives the bytes of the pixel_values that are looked up from it", async ({ teams }) => {
  const plane = config.imageSize ** 2;
  const lookedUp = pixels.map((_, i) => {
    const channel = Math.floor(i / plane);
    return levels[channel * 256 + square[(i % plane) * 3 + channel]!]!;
  });
  const features = (form: ImageForm): Promise<Float32Array> =>
    onEvery(teams, async (team) => {
      const placed = placeActivations(team, config);
      const image =
        form === "pixels" ? { pixels: team.put(lookedUp) } : { square: team.put(square), levels: team.put(levels) };
      await team.call("encode", config, placeWeights(team, config), { ...placed, ...image }, form, false);
      return unblocked(team.f32(placed.normed, blockElements(tokens, width)), tokens, width);
    });
  assertSameBits(await features("square"), await features("pixels"));
});

test("stages are tapped in order on every worker, and each is what it is called", async ({ teams }) => {
  const exact = tower(config, pixels);
  const all = await onEvery(teams, async (team) => {
    const { taps } = await encode(team, true);
    assert.is(taps.length, Number(team.title.at(-1)) || 1);
    for (const seen of taps) {
      assert.equal(
        seen.map(([stage]) => stage),
        STAGES,
      );
    }
    // The leader's: it copies before it comes to the next barrier, so nobody can have gone on to write.
    return Float32Array.from(taps[0]!.flatMap(([, data]) => [...data]));
  });
  STAGES.forEach((stage, n) => {
    check(stage, all.subarray(n * tokens * width, (n + 1) * tokens * width), exact.get(stage));
  });
});

test("taps cost nothing: the same bytes, and none when they are off", async ({ teams }) => {
  const features = (taps: boolean): Promise<Float32Array> =>
    onEvery(teams, async (team) => {
      const encoded = await encode(team, taps);
      assert.is(encoded.taps[0]?.length, taps ? STAGES.length : 0);
      return encoded.features;
    });
  assertSameBits(await features(true), await features(false));
});

test("fewer blocks (select_layer): the first ones, and the final norm all the same", async ({ teams }) => {
  for (const blocks of [0, 1, 2]) {
    const features = await onEvery(teams, async (team) => (await encode(team, false, blocks)).features);
    check(`${blocks} blocks`, features, tower(config, pixels, blocks).get("vision.norm"));
  }
});

test.run();
