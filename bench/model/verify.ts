import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { difference, differenceText, isWithin } from "#dist/cli/difference.js";
import { golden } from "../../test/support/paths.js";
import { readTensors } from "../../test/support/tensors.js";

/**
 * The bounds of test/acceptance/full-size.test.ts, about seven times the float32 noise of the reference: this package's own, and met by
 * the peers, whose float32 is no worse (onnxruntime-node 6.8e-7 and onnxruntime-web 7.8e-7 RMS-relative).
 */
const BOUNDS = { maxRelative: 4e-6, maxAbs: 3e-4, minCosine: 1 - 2e-12 };
/** Of 8-bit products: the cosine that this package promises is in test/acceptance/full-size.test.ts; here it is enough that it is the same computation. */
const INT8_BOUNDS = { maxRelative: 0.06, maxAbs: 0.5, minCosine: 0.9985 };
const TOKENS = 576;

/**
 * Holds raw image_embeds f32 [images,P,D] of the recorded photograph against the float64 reference: recorded rows element by element, all
 * others by their length. Returns the RMS-relative distance of the rows; throws when an image is off.
 */
export async function verifyEmbeds(name: string, path: string, images: number, dtype: string): Promise<number> {
  const bounds = dtype === "int8" ? INT8_BOUNDS : BOUNDS;
  const embeds = new Float32Array(new Uint8Array(await readFile(path)).buffer);
  const expected = await readTensors(golden("full-size/expected.safetensors"));
  const { tokens }: { tokens: number[] } = JSON.parse(readFileSync(golden("full-size/expected.json"), "utf8"));
  const rows = expected["photo.image_embeds.rows"]?.data as Float32Array;
  const norms = expected["photo.image_embeds.norms"]?.data as Float32Array;
  const width = rows.length / tokens.length;
  if (embeds.length !== images * TOKENS * width)
    throw new Error(`${name}: expected ${images} x ${TOKENS} x ${width} numbers, got ${embeds.length}`);
  let distance = 0;
  for (let n = 0; n < images; n++) {
    const row = (t: number): Float32Array => embeds.subarray((n * TOKENS + t) * width, (n * TOKENS + t + 1) * width);
    const found = difference(Float32Array.from(tokens.flatMap((t) => [...row(t)])), rows, width);
    if (!isWithin(found, bounds)) throw new Error(`${name}: image ${n} is off: ${differenceText(found)}`);
    const lengths = difference(
      Float32Array.from({ length: TOKENS }, (_, t) => Math.hypot(...row(t))),
      norms,
    );
    if (!(lengths.relative <= bounds.maxRelative))
      throw new Error(`${name}: the lengths of image ${n}'s rows are off: ${differenceText(lengths)}`);
    distance = Math.max(distance, found.relative);
  }
  return distance;
}
