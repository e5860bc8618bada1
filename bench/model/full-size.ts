import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { pack } from "#dist/entry/node/pack.js";
import { synthesize } from "#dist/entry/node/synthesize.js";
import { normalisedLevels } from "#dist/image/levels.js";
import { normalise } from "../../test/reference/normalise.js";
import { golden } from "../../test/support/paths.js";
import { writeGraph } from "./graph-file.js";

/** Of Janus-Pro-1B. */
export const IMAGE_SIZE = 384;

/** Where 3.4 GB of checkpoints and graphs are kept from run to run; git ignores it. */
export const CACHE = fileURLToPath(new URL("../../../bench/cache/", import.meta.url));

export interface FullSize {
  /** The synthetic checkpoint, bf16, as a directory. */
  readonly checkpoint: string;
  /** The same packed in int8. */
  readonly packed: string;
  /** The peers' graphs of it, in f32 and in int8; absent when there are no peers. */
  readonly graph: string | undefined;
  readonly graphInt8: string | undefined;
  /** Raw pixel_values of the recorded photograph, once and eight times. */
  readonly one: string;
  readonly eight: string;
}

/** Makes what is not there yet: about ten seconds. Files are complete or absent, and wrong ones give wrong embeddings, which are looked at. */
export async function prepareFullSize(cache: string, withGraph: boolean, withInt8Graph: boolean): Promise<FullSize> {
  await mkdir(cache, { recursive: true });
  const checkpoint = join(cache, "full");
  if (!existsSync(checkpoint)) {
    console.log(`making the full-size checkpoint in ${checkpoint}, 1.04 GB`);
    await synthesize(checkpoint, { dtype: "bf16" });
  }
  const packed = join(cache, "full-int8");
  if (!existsSync(packed)) {
    console.log(`packing it in int8, ${packed}, 0.74 GB`);
    await pack(checkpoint, packed, { dtype: "int8" });
  }
  const graph = join(cache, "full.onnx");
  if (withGraph && !existsSync(graph)) {
    console.log(`making the peers' graph of it, ${graph}, 1.24 GB`);
    await writeGraph(checkpoint, graph);
  }
  const graphInt8 = join(cache, "full-int8.onnx");
  if (withInt8Graph && !existsSync(graphInt8)) {
    console.log(`making the peers' graph of it in int8, ${graphInt8}, 0.32 GB`);
    await writeGraph(checkpoint, graphInt8, true);
  }
  const one = join(cache, "one.f32");
  const eight = join(cache, "eight.f32");
  const pixels = await photograph(checkpoint);
  await writeFile(one, pixels);
  await writeFile(eight, Buffer.concat(Array.from({ length: 8 }, () => pixels)));
  return {
    checkpoint,
    packed,
    graph: withGraph ? graph : undefined,
    graphInt8: withInt8Graph ? graphInt8 : undefined,
    one,
    eight,
  };
}

/** pixel_values f32 [3,S,S] of the recorded photograph, whose size needs no resizing. */
async function photograph(checkpoint: string): Promise<Uint8Array> {
  const config = JSON.parse(await readFile(join(checkpoint, "preprocessor_config.json"), "utf8"));
  const { data } = await sharp(golden("full-size/china-384.png"))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const levels = normalisedLevels({
    rescaleFactor: config.rescale_factor,
    doNormalize: config.do_normalize,
    mean: config.image_mean,
    std: config.image_std,
  });
  const pixels = new Float32Array(3 * IMAGE_SIZE ** 2);
  normalise(pixels, data, levels, IMAGE_SIZE, 0, IMAGE_SIZE);
  return new Uint8Array(pixels.buffer);
}
