/** `dtype: "int8"`: how near it comes to f32 on the demo model, what its language model then answers, and that bytes depend on nothing. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "#dist/entry/node/index.js";
import { Janus } from "#dist/entry/node/index.js";
import { answer } from "../../examples/answer/answer.mjs";
import { RELAXED_EXPECTED } from "../support/engine.js";
import { golden, ROOT } from "../support/paths.js";
import { bytesOf } from "../support/tensors.js";

interface Asked {
  readonly question: string;
  readonly images: readonly string[];
}

const DEMO = `${ROOT}models/demo`;
const examples: readonly (Asked & { readonly expected_ids: readonly number[] })[] = JSON.parse(
  readFileSync(`${DEMO}/examples/examples.json`, "utf8"),
);
const samples: readonly Asked[] = JSON.parse(readFileSync(golden("eval/eval.json"), "utf8"));

const pictures = [
  ...examples.flatMap(({ images }) => images.map((name) => `${DEMO}/examples/${name}`)),
  ...samples.flatMap(({ images }) => images.map((name) => `${golden("eval")}/${name}`)),
];

const recorded: Record<string, string> = JSON.parse(readFileSync(golden("hashes.json"), "utf8"));

/** Cosine of each row of a with that of b. */
function cosines(a: Float32Array, b: Float32Array, width: number): number[] {
  return Array.from({ length: a.length / width }, (_, row) => {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = row * width; i < (row + 1) * width; i++) {
      ab += a[i]! * b[i]!;
      aa += a[i]! ** 2;
      bb += b[i]! ** 2;
    }
    return ab / Math.sqrt(aa * bb);
  });
}

async function embedsOf(model: Janus, picture: string): Promise<Tensor<"float32">> {
  return model.project(await model.encode(await model.preprocess(picture)));
}

const request = ({ question, images }: Asked) => ({
  question,
  images: images.map((name) => `${DEMO}/examples/${name}`),
});

for (const variant of RELAXED_EXPECTED ? (["simd", "relaxed"] as const) : (["simd"] as const)) {
  const test = suite(`int8, ${variant}`);

  test("demo model: worst token 0.999, first percentile 0.9997 of cosine to f32", async () => {
    const [exact, model] = [await Janus.load(DEMO, { variant }), await Janus.load(DEMO, { variant, dtype: "int8" })];
    assert.is(model.runtime.dtype, "int8");
    const found: number[] = [];
    for (const picture of pictures) {
      const [a, b] = [await embedsOf(exact, picture), await embedsOf(model, picture)];
      found.push(...cosines(a.data, b.data, exact.config.dim));
    }
    found.sort((a, b) => a - b);
    const [worst = 0, first = 0] = [found[0], found[Math.floor(found.length / 100)]];
    console.log(`${found.length} tokens: worst ${worst.toFixed(6)}, first percentile ${first.toFixed(6)}`);
    assert.ok(worst >= 0.999 && first >= 0.9997, `worst ${worst}, first percentile ${first}`);
    assert.ok(worst < 0.999_999, "that is another computation than f32's");
    await exact.dispose();
    await model.dispose();
  });

  test("demo model: the answers of all examples", async () => {
    const model = await Janus.load(DEMO, { variant, dtype: "int8" });
    for (const example of examples) {
      const out = await model.embed(request(example));
      const [given] = await answer(DEMO, out.inputsEmbeds, out.attentionMask);
      assert.equal(given?.ids, example.expected_ids, example.question);
    }
    await model.dispose();
  });

  test(`1, 2 and 3 threads${variant === "simd" ? ", every engine" : ""}: the same bytes`, async () => {
    const hashes: string[] = [];
    for (const threads of [1, 2, 3]) {
      const model = await Janus.load(DEMO, { variant, threads, dtype: "int8" });
      const hash = createHash("sha256");
      for (const picture of pictures.slice(0, 6)) hash.update(bytesOf(await embedsOf(model, picture)));
      const twice = examples.slice(0, 1).flatMap((example) => [request(example), request(example)]);
      hash.update(bytesOf((await model.embed(twice)).inputsEmbeds));
      hashes.push(hash.digest("hex"));
      await model.dispose();
    }
    assert.is(hashes[1], hashes[0], "2 threads");
    assert.is(hashes[2], hashes[0], "3 threads");
    if (variant === "simd") assert.is(hashes[0], recorded["demo int8"], "as recorded, whatever the engine");
  });

  test.run();
}
