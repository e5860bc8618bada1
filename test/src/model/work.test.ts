import { suite } from "uvu";
import * as assert from "uvu/assert";
import { imageFlop } from "#dist/model/work.js";
import { openTiny, tinyFiles } from "../../support/tiny-checkpoints.js";

const test = suite("work");

test("a Janus-Pro-1B is 380.5 GFLOP of blocks, 0.9 of patches and 7.2 of aligner", async () => {
  const { config } = await openTiny(tinyFiles("tiny-hf"));
  const pro = {
    ...config,
    imageSize: 384,
    patchSize: 16,
    tokens: 576,
    width: 1024,
    heads: 16,
    headWidth: 64,
    mlpWidth: 4096,
    blocks: 24,
    dim: 2048,
    aligner: { ...config.aligner, depth: 2 },
  };
  const tokens = 576;
  const block = 2 * tokens * 1024 * (3072 + 1024 + 4096 + 4096) + 2 * 2 * tokens * tokens * 1024;
  const patches = 2 * tokens * 768 * 1024;
  const aligner = 2 * tokens * (1024 + 2048) * 2048;
  assert.is(imageFlop(pro), 24 * block + patches + aligner);
  assert.is(Math.round(imageFlop(pro) / 1e9), 389);
});

test.run();
