/**
 * Bytes that must not depend on threads, batch or engine: the plain variants against hashes recorded once (the same on every engine that runs
 * this suite), the relaxed ones within one engine.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { EmbedRequest } from "#dist/entry/node/index.js";
import { Janus } from "#dist/entry/node/index.js";
import { RELAXED_EXPECTED } from "../support/engine.js";
import { golden, ROOT } from "../support/paths.js";
import { bytesOf } from "../support/tensors.js";

const DEMO = `${ROOT}models/demo`;
const TINY = ["tiny-orig-safetensors", "tiny-orig-bin", "tiny-orig-bin-single", "tiny-hf", "tiny-orig-f16"];
const MODELS = [DEMO, ...TINY.map((name) => golden(`checkpoints/${name}`))];

const REQUESTS: readonly EmbedRequest[] = [
  { prompt: "<image_placeholder>\nOne picture.", images: [golden("images/china-150x100.png")] },
  { prompt: "Text alone." },
  {
    prompt: "<image_placeholder> and <image_placeholder>",
    images: [golden("images/flower-80x110.png"), golden("images/noise-17x33.png")],
  },
];

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Every stage of one batch, in order, as one hash. */
async function fingerprint(model: Janus): Promise<string> {
  const out = await model.embed(REQUESTS, { stages: true });
  const hash = createHash("sha256");
  for (const stage of Object.values(out.stages ?? {})) hash.update(bytesOf(stage));
  return hash.update(bytesOf(out.inputsEmbeds)).digest("hex");
}

/** Each request alone: its unpadded rows must be those of the batch. */
async function rowsAlone(model: Janus): Promise<void> {
  const batch = await model.embed(REQUESTS);
  const [, length = 0, dim = 0] = batch.inputsEmbeds.dims;
  for (const [b, request] of REQUESTS.entries()) {
    const alone = await model.embed(request);
    const own = alone.inputsEmbeds.data;
    const row = batch.inputsEmbeds.data.subarray((b + 1) * length * dim - own.length, (b + 1) * length * dim);
    assert.is(sha256(bytesOf(alone.inputsEmbeds)), sha256(new Uint8Array(row.slice().buffer)), `row ${b}`);
  }
}

const recorded: Record<string, string> = JSON.parse(readFileSync(golden("hashes.json"), "utf8"));

for (const variant of RELAXED_EXPECTED ? (["simd", "relaxed"] as const) : (["simd"] as const)) {
  const test = suite(`determinism, ${variant}`);
  for (const path of MODELS) {
    const name = path.split("/").at(-1) ?? "";
    test(`${name}: 1, 2 and 3 threads, batch 1 and 3${variant === "simd" ? ", every engine" : ""}`, async () => {
      const hashes: string[] = [];
      for (const threads of [1, 2, 3]) {
        const model = await Janus.load(path, { variant, threads });
        hashes.push(await fingerprint(model));
        await rowsAlone(model);
        await model.dispose();
      }
      assert.is(hashes[1], hashes[0], "2 threads");
      assert.is(hashes[2], hashes[0], "3 threads");
      if (variant === "simd") assert.is(hashes[0], recorded[name], "as recorded, whatever the engine");
    });
  }
  test.run();
}
