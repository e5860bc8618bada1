import { suite } from "uvu";
import * as assert from "uvu/assert";
import { normalisedLevels } from "#dist/image/levels.js";
import { recordedArray } from "../../support/preprocess.js";

const test = suite("image/levels");
const HALF = [0.5, 0.5, 0.5];

test("the recorded levels, in every channel, to the bit", () => {
  const expected = recordedArray("normalised_levels");
  assert.equal(expected.shape, [256]);
  const levels = normalisedLevels({ rescaleFactor: 1 / 255, doNormalize: true, mean: HALF, std: HALF });
  assert.is(levels.length, 768);
  const bytes = new Uint8Array(levels.buffer);
  for (let channel = 0; channel < 3; channel++) {
    assert.equal(bytes.slice(channel * 1024, (channel + 1) * 1024), expected.bytes);
  }
});

test("without normalisation the rescaled level stays", () => {
  const levels = normalisedLevels({ rescaleFactor: 1 / 255, doNormalize: false, mean: HALF, std: HALF });
  for (let level = 0; level < 256; level++) assert.is(levels[512 + level], Math.fround(level / 255));
});

test("each channel has its own mean and std, every step rounded to float32", () => {
  const mean = [0.48145466, 0.4578275, 0.40821073];
  const std = [0.26862954, 0.26130258, 0.27577711];
  const levels = normalisedLevels({ rescaleFactor: 1 / 255, doNormalize: true, mean, std });
  for (let channel = 0; channel < 3; channel++) {
    const step = new Float32Array([mean[channel]!, std[channel]!, 0]);
    for (let level = 0; level < 256; level++) {
      step[2] = level * (1 / 255);
      step[2] -= step[0]!;
      step[2] /= step[1]!;
      assert.is(levels[channel * 256 + level], step[2], `channel ${channel}, level ${level}`);
    }
  }
});

test.run();
