/** Whole images on every register tile: the same bytes, whatever the tile and the threads. */
import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Engine } from "#dist/entry/engine.js";
import { openModel, planMemory } from "#dist/entry/load.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { directorySource, Janus } from "#dist/entry/node/index.js";
import { startComputeWorker } from "#dist/entry/node/workers.js";
import { probe } from "#dist/entry/variant.js";
import { loadWeights } from "#dist/entry/weights.js";
import type { LevelForm, TileName } from "#dist/wasm/abi.js";
import { LEVELS } from "#dist/wasm/abi.js";
import { TILES } from "#dist/wasm/tiles.js";
import { type VariantFamily, variantOf } from "#dist/wasm/variants.js";
import { RELAXED_EXPECTED } from "../support/engine.js";
import { variantBytes } from "../support/kernels.js";
import { golden, ROOT } from "../support/paths.js";

const MODELS = [`${ROOT}models/demo`, golden("checkpoints/tiny-hf"), golden("checkpoints/tiny-orig-f16")];
const PICTURE = golden("images/china-150x100.png");

/** image_features and image_embeds of one picture, hashed. */
async function hashed(
  path: string,
  pixels: Float32Array,
  family: VariantFamily,
  threads: number,
  tile: TileName,
  dtype: "auto" | "int8",
  levels: LevelForm,
): Promise<string> {
  const source = await directorySource(path);
  const model = await openModel(source);
  const plan = planMemory(model, dtype, threads);
  const module = new WebAssembly.Module(variantBytes(variantOf(family, threads > 1)));
  const { config } = model;
  const tiles = { float: tile, int8: tile, levels };
  const engine = await Engine.start({ module, threads, config, plan, tiles, startWorker: startComputeWorker });
  await loadWeights(engine, model.checkpoint, model.bound, plan.placements, () => {});
  await engine.sumInt8Columns();
  const { features } = await engine.encode(pixels, false);
  const embeds = await engine.project(features);
  await engine.dispose();
  await source.close();
  return hashOf(features, embeds);
}

function hashOf(...arrays: readonly Float32Array[]): string {
  const hash = createHash("sha256");
  for (const data of arrays) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

for (const variant of RELAXED_EXPECTED ? (["simd", "relaxed"] as const) : (["simd"] as const)) {
  const test = suite(`every tile, ${variant}`);
  // Bytes for the fused 8-bit dot only where that is exact. The integers of all are the same.
  const { dot8 } = await probe(nodeHost(), variant);
  const forms = [LEVELS.wide, LEVELS.crossed, ...(dot8 === "unsigned" || dot8 === "signed" ? [LEVELS[dot8]] : [])];
  for (const [path, dtype] of MODELS.flatMap((path) => [[path, "auto"] as const, [path, "int8"] as const])) {
    test(`${path.split("/").at(-1)}, ${dtype}`, async () => {
      const model = await Janus.load(path, { variant, threads: 1, dtype });
      const pixels = await model.preprocess([PICTURE]);
      const features = await model.encode(pixels);
      const embeds = await model.project(features);
      await model.dispose();
      const expected = hashOf(features.data, embeds.data);
      for (const tile of TILES) {
        for (const threads of [1, 2]) {
          for (const levels of dtype === "int8" ? forms : [LEVELS.wide]) {
            const found = await hashed(path, pixels.data, variant, threads, tile, dtype, levels);
            assert.is(found, expected, `${tile}, ${threads} threads, levels ${levels}`);
          }
        }
      }
    });
  }
  test.run();
}
