/** The model as its callers meet it: every call, wrong input, aborts, disposal, ownership. Numbers are held by test/acceptance. */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ImageInput } from "#dist/entry/host.js";
import { JanusModel, type ModelInputs } from "#dist/entry/janus.js";
import { nodeHost } from "#dist/entry/node/host.js";
import type { LoadOptions } from "#dist/entry/options.js";
import type { EmbedRequest } from "#dist/entry/prepare.js";
import type { JanusError } from "#dist/errors.js";
import type { Tensor } from "#dist/tensor.js";
import type { WeightSource } from "#dist/weights/source.js";
import { type Files, recordedFiles, towerFiles, withElement } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { ODD_TOWER } from "../../support/model-config.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { golden, ROOT } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { bytesOf } from "../../support/tensors.js";
import { rejection, until, within } from "../../support/waiting.js";
import { type WatchedHost, watchedHost } from "../../support/watched-host.js";

const test = suite("entry/janus");

const PROMPT_MS = 2000;
const ABORT_MS = 200;
const TINY = golden("checkpoints/tiny-orig-safetensors");
const CHINA = golden("images/china-150x100.png");
const FLOWER = golden("images/flower-80x110.png");
const TWO_THREADS: LoadOptions = { variant: "simd", threads: 2 };
const REQUEST: EmbedRequest = { prompt: "<image_placeholder>\nOne picture.", images: [CHINA] };

async function withModel(
  work: (model: JanusModel, host: WatchedHost) => Promise<void>,
  options: LoadOptions = TWO_THREADS,
  model: string | WeightSource = TINY,
  on?: (event: string) => void,
): Promise<void> {
  const host = watchedHost(on);
  const loaded = await JanusModel.load(host, model, options);
  try {
    await work(loaded, host);
  } finally {
    await within(10_000, loaded.dispose(), "dispose");
  }
  assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 });
}

function float32(
  dims: readonly number[],
  data = random(
    dims.reduce((a, b) => a * b, 1),
    7,
  ),
): Tensor<"float32"> {
  return { type: "float32", dims, data };
}

function int64(dims: readonly number[], values: readonly number[]): Tensor<"int64"> {
  return { type: "int64", dims, data: BigInt64Array.from(values, BigInt) };
}

function bool(dims: readonly number[], values: ArrayLike<number>): Tensor<"bool"> {
  return { type: "bool", dims, data: Uint8Array.from(values) };
}

const hex = (tensor: Tensor | undefined): string => bytesOf(tensor).toString("hex");

/** Inputs of one row whose images are used where `used` is 1, with a prompt of one token after them. */
function modelInputs(model: JanusModel, used: readonly number[]): ModelInputs {
  const { imageSize, tokens } = model.config;
  const slots = used.reduce((sum, n) => sum + n * tokens, 0);
  return {
    inputIds: int64([1, slots + 1], Array(slots + 1).fill(5)),
    pixelValues: float32([1, used.length, 3, imageSize, imageSize]),
    imagesSeqMask: bool(
      [1, slots + 1],
      Array.from({ length: slots + 1 }, (_, t) => Number(t < slots)),
    ),
    imagesEmbMask: bool(
      [1, used.length, tokens],
      used.flatMap((n) => Array(tokens).fill(n)),
    ),
  };
}

// ---- shapes and batches of every size

test("P16 a batch of none", () =>
  withModel(async (model, host) => {
    const { imageSize, tokens, width, dim } = model.config;
    const out = await model.embed([]);
    assert.equal(out.inputsEmbeds, float32([0, 0, dim]));
    assert.equal(
      [out.inputIds.dims, out.attentionMask.dims, out.imagesSeqMask.dims],
      [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
    );
    assert.equal(out.imagesEmbMask.dims, [0, 1, tokens]);
    const prepared = await model.prepare([]);
    assert.equal(prepared.pixelValues.dims, [0, 1, 3, imageSize, imageSize]);
    assert.equal((await model.preprocess([])).dims, [0, 3, imageSize, imageSize]);
    assert.equal((await model.encode(float32([0, 3, imageSize, imageSize]))).dims, [0, tokens, width]);
    assert.equal((await model.encode(float32([2, 0, 3, imageSize, imageSize]))).dims, [0, tokens, width]);
    assert.equal((await model.project(float32([0, tokens, width]))).dims, [0, tokens, dim]);
    assert.equal((await model.embedTokens(int64([0, 0], []))).dims, [0, 0, dim]);
    assert.equal((await model.embedTokens(int64([3, 0], []))).dims, [3, 0, dim]);
    const runs = host.events.filter((event) => event.startsWith("run:") && event !== "run:pack");
    assert.equal(runs, [], "nothing is computed");
  }));

test("every stage alone gives what embed gives", () =>
  withModel(async (model) => {
    const requests: EmbedRequest[] = [REQUEST, { prompt: "Text alone." }];
    const whole = await model.embed(requests, { stages: true });
    const prepared = await model.prepare(requests);
    assert.is(hex(prepared.pixelValues), hex(whole.stages?.["pixel_values"]));
    const pixels = await model.preprocess(CHINA);
    assert.equal(pixels.dims, [1, 3, 64, 64]);
    const features = await model.encode(pixels);
    assert.is(hex(features), hex(whole.stages?.["image_features"]));
    const embeds = await model.project(features);
    assert.is(hex(embeds), hex(whole.stages?.["image_embeds"]));
    const text = await model.embedTokens(prepared.inputIds);
    assert.is(hex(text), hex(whole.stages?.["text_embeds"]));
    const { imagesSeqMask, imagesEmbMask } = prepared;
    const fused = await model.fuse({ textEmbeds: text, imageEmbeds: embeds, imagesSeqMask, imagesEmbMask });
    assert.is(hex(fused), hex(whole.inputsEmbeds));
    const { inputsEmbeds } = await model.prepareInputsEmbeds(prepared);
    assert.is(hex(inputsEmbeds), hex(whole.inputsEmbeds));
  }));

test("pixel_values are made where they are asked for: without, squares give the same bytes", () =>
  withModel(async (model, host) => {
    const { imageSize: size } = model.config;
    const own = {
      width: size,
      height: size,
      data: Uint8Array.from({ length: 3 * size ** 2 }, (_, i) => (i * 31) % 256),
    };
    const before = own.data.slice();
    const images = [CHINA, own, FLOWER];
    const request = { prompt: "<image_placeholder>".repeat(images.length), images };
    const pixels = await model.preprocess(images);
    host.events.length = 0;
    const ran = (program: string): number => host.events.splice(0).filter((event) => event.endsWith(program)).length;
    const tapped = await model.embed(request, { stages: true });
    assert.is(ran(":preprocess"), images.length);
    assert.is(hex(tapped.stages?.["pixel_values"]), hex(pixels));
    assert.is(hex((await model.embed(request)).inputsEmbeds), hex(tapped.inputsEmbeds));
    assert.is(ran(":preprocess"), 0);
    const features = await model.encode(pixels);
    const streamed: string[] = [];
    for await (const { imageFeatures } of model.encodeStream(images)) streamed.push(hex(imageFeatures));
    assert.is(streamed.join(""), hex(features));
    assert.is(ran(":preprocess"), 0);
    assert.equal(own.data, before, "the caller's own square is not given away");
  }));

test("images alone, in a batch and in [B, N] give the same bytes", () =>
  withModel(async (model) => {
    const pixels = await model.preprocess([CHINA, FLOWER, CHINA, FLOWER]);
    const all = await model.encode(pixels);
    const alone = [await model.preprocess(CHINA), await model.preprocess(FLOWER)];
    const each = await Promise.all(alone.map((one) => model.encode(one)));
    assert.is(hex(all), [...each, ...each].map(hex).join(""));
    assert.is(hex(await model.encode({ ...pixels, dims: [2, 2, ...pixels.dims.slice(1)] })), hex(all));
    const embeds = await Promise.all(each.map((one) => model.project(one)));
    assert.is(hex(await model.project(all)), [...embeds, ...embeds].map(hex).join(""));
  }));

test("P19 the same image twice: twice the same bytes", () =>
  withModel(async (model) => {
    const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i * 14) };
    const prompt = "<image_placeholder><image_placeholder>";
    const { stages } = await model.embed({ prompt, images: [picture, picture] }, { stages: true });
    const embeds = hex(stages?.["image_embeds"]);
    assert.is(embeds.slice(0, embeds.length / 2), embeds.slice(embeds.length / 2));
  }));

test("fuse takes the embeddings of all images or of those in use, and no other number", () =>
  withModel(async (model) => {
    const { tokens, dim } = model.config;
    const { imagesSeqMask, imagesEmbMask, inputIds } = modelInputs(model, [0, 1, 1]);
    const textEmbeds = await model.embedTokens(inputIds);
    const all = float32([1, 3, tokens, dim]);
    const used = float32([2, tokens, dim], all.data.slice(tokens * dim));
    const masks = { textEmbeds, imagesSeqMask, imagesEmbMask };
    const expected = hex(await model.fuse({ ...masks, imageEmbeds: all }));
    assert.is(hex(await model.fuse({ ...masks, imageEmbeds: { ...all, dims: [3, tokens, dim] } })), expected);
    assert.is(hex(await model.fuse({ ...masks, imageEmbeds: used })), expected);
    const one = float32([1, tokens, dim]);
    const error = await refused(
      model.fuse({ ...masks, imageEmbeds: one }),
      "E_SHAPE",
      /must hold 3 images .* or the 2 it uses, got 1$/,
    );
    assert.is(error.origin, "input");
  }));

// ---- wrong input

test("P17 tensors of another shape, length or type", () =>
  withModel(async (model) => {
    const { imageSize: S, tokens: P, width: W, dim: D } = model.config;
    const pixels = float32([1, 3, S, S]);
    const odd = [undefined, null, {}, { ...pixels, type: "float64" }, { ...pixels, data: [...pixels.data] }];
    const shapes: (readonly number[])[] = [
      [3, S, S],
      [1, 3, S, S + 1],
      [1, 4, S, S],
      [1, 1, 1, 3, S, S],
      [0.5, 3, S, S],
      [-1, -1, 3, S, S],
    ];
    for (const wrong of [...odd, ...shapes.map((dims) => ({ ...pixels, dims })), float32([1, 3, S, S], random(5, 1))]) {
      const work = model.encode(wrong as Tensor<"float32">);
      const error = await refused(work, "E_SHAPE", /^encode: pixel_values must be float32 \[\*, .*3, 64, 64\], got /);
      assert.is(error.origin, "input");
    }
    for (const dims of [
      [P, W],
      [1, P + 1, W],
      [1, P, D],
      [1, P, W, 1],
    ]) {
      await refused(model.project(float32(dims)), "E_SHAPE", /^project: image_features must be float32 \[\*, 16, 64\]/);
    }
    const inputs = modelInputs(model, [1]);
    for (const dims of [
      [1, 3, S, S],
      [2, 1, 3, S, S],
      [1, 2, 3, S, S],
      [1, 1, 3, S, 1],
    ]) {
      const work = model.prepareInputsEmbeds({ ...inputs, pixelValues: float32(dims) });
      await refused(work, "E_SHAPE", /^prepareInputsEmbeds: pixel_values must be float32 \[1, 1, 3, 64, 64\]/);
    }
    const { imagesSeqMask, imagesEmbMask } = inputs;
    const good = { textEmbeds: float32([1, P + 1, D]), imageEmbeds: float32([1, P, D]), imagesSeqMask, imagesEmbMask };
    for (const dims of [
      [P + 1, D],
      [1, P + 1, D + 1],
    ]) {
      await refused(model.fuse({ ...good, textEmbeds: float32(dims) }), "E_SHAPE", /^fuse: text_embeds must be/);
    }
    for (const dims of [
      [P, D],
      [1, P, D - 1],
      [1, P - 1, D],
      [1, 1, 1, P, D],
    ]) {
      await refused(model.fuse({ ...good, imageEmbeds: float32(dims) }), "E_SHAPE", /^fuse: image_embeds must be/);
    }
    assert.equal((await model.fuse(good)).dims, [1, P + 1, D], "the good one is");
  }));

test("P18 NaN and infinity: refused by name and place, allowed where that is asked for", () =>
  withModel(async (model) => {
    const { imageSize: S, tokens: P, width: W, dim: D } = model.config;
    const inputs = modelInputs(model, [0, 1]);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const at = (count: number, index: number): Float32Array<ArrayBuffer> =>
        random(count, 1).fill(bad, index, index + 1);
      const pixels = float32([1, 3, S, S], at(3 * S * S, 77));
      await refused(model.encode(pixels), "E_NUMERIC", /^encode: pixel_values must be finite, got \S+ at index 77$/);
      await refused(model.project(float32([1, P, W], at(P * W, 3))), "E_NUMERIC", /image_features .* at index 3$/);
      const second = at(6 * S * S, 3 * S * S + 5);
      const used = { ...inputs, pixelValues: float32([1, 2, 3, S, S], second) };
      await refused(model.prepareInputsEmbeds(used), "E_NUMERIC", /pixel_values must be finite, got \S+ at index/);
      const unused = { ...inputs, pixelValues: float32([1, 2, 3, S, S], at(6 * S * S, 5)) };
      assert.ok((await model.prepareInputsEmbeds(unused)).inputsEmbeds.data.every(Number.isFinite));

      const { imagesSeqMask, imagesEmbMask } = modelInputs(model, [1]);
      const textEmbeds = float32([1, P + 1, D]);
      const imageEmbeds = float32([1, P, D], at(P * D, 9));
      const fusion = { textEmbeds, imageEmbeds, imagesSeqMask, imagesEmbMask };
      await refused(model.fuse(fusion), "E_NUMERIC", /^fuse: image_embeds must be finite, got \S+ at index 9$/);
      assert.equal((await model.fuse(fusion, { allowNonFinite: true })).data[9], bad);
    }
  }));

test("P08-P11 masks and ids that do not fit are E_PROMPT before anything is computed", () =>
  withModel(async (model, host) => {
    const inputs = modelInputs(model, [1]);
    const [, length = 0] = inputs.inputIds.dims;
    const tooLong = 16_385;
    const before = host.events.length;
    for (const [wrong, message] of [
      [{ inputIds: undefined }, /input_ids must be an int64 tensor/],
      [{ inputIds: int64([1, length], Array(length).fill(608)) }, /id 608 at index 0 is beyond the token table/],
      [{ inputIds: int64([1, length + 1], Array(length + 1).fill(1)) }, /images_seq_mask must be \[1, 18\]/],
      [{ imagesSeqMask: bool([1, length], Array(length).fill(1)) }, /17 image slots .* but 16 image features/],
      [{ imagesSeqMask: undefined }, /images_seq_mask must be a bool tensor/],
      [{ imagesEmbMask: bool([1, 1, 16], Array(16).fill(2)) }, /images_emb_mask must hold 0 and 1/],
      [
        {
          inputIds: int64([1, tooLong], Array(tooLong).fill(1)),
          imagesSeqMask: bool([1, tooLong], new Uint8Array(tooLong).fill(1, 0, 16)),
        },
        /at most 16384 positions long \(max_position_embeddings\), got 16385/,
      ],
    ] as const) {
      await refused(model.prepareInputsEmbeds({ ...inputs, ...wrong } as ModelInputs), "E_PROMPT", message);
    }
    assert.equal(host.events.slice(before), []);
  }));

test("images that no row uses are not computed", () =>
  withModel(async (model, host) => {
    const encodes = (): number => host.events.filter((event) => event === "run:encode").length;
    const inputs = modelInputs(model, [0, 1, 0]);
    const { stages, timings } = await model.prepareInputsEmbeds(inputs, { stages: true });
    assert.is(encodes(), 1);
    assert.equal(stages?.["image_embeds"]?.dims, [1, 16, 96]);
    const perImage = 3 * 64 * 64;
    const alone = float32([1, 3, 64, 64], inputs.pixelValues.data.slice(perImage, 2 * perImage));
    assert.is(hex(stages?.["image_features"]), hex(await model.encode(alone)));
    assert.ok(timings.encode > 0 && timings.total >= timings.encode && timings.decode === 0);
    const none = await model.prepareInputsEmbeds(modelInputs(model, [0]));
    assert.is(encodes(), 2);
    assert.is(none.timings.encode, 0);
    assert.is(none.stages, undefined);
  }));

// ---- whose memory is whose

test("results are ordinary memory of the caller's own; arguments stay as they were", () =>
  withModel(async (model) => {
    const pixelArray = { width: 5, height: 4, data: Uint8Array.from({ length: 60 }, (_, i) => i * 4) };
    const shared = new Float32Array(new SharedArrayBuffer(3 * 64 * 64 * 4));
    shared.set(random(shared.length, 1));
    const wide = random(2 * 3 * 64 * 64 + 10, 2);
    const inputs = modelInputs(model, [1]);
    const given: Record<string, ArrayBufferView> = {
      picture: pixelArray.data,
      shared,
      wide,
      ids: inputs.inputIds.data,
      pixels: inputs.pixelValues.data,
      seq: inputs.imagesSeqMask.data,
      emb: inputs.imagesEmbMask.data,
    };
    const bytes = (view: ArrayBufferView): string =>
      Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength).toString("hex");
    const before = Object.entries(given).map(([name, view]) => [name, bytes(view)]);

    const image: ImageInput = pixelArray;
    const requests = { prompt: "<image_placeholder> x", images: [image] };
    const embedded = await model.embed(requests, { stages: true });
    const prepared = await model.prepare(requests);
    const view = wide.subarray(5, 5 + 3 * 64 * 64);
    const results: Tensor[] = [
      embedded.inputsEmbeds,
      embedded.attentionMask,
      embedded.inputIds,
      embedded.imagesSeqMask,
      embedded.imagesEmbMask,
      ...Object.values(embedded.stages ?? {}),
      prepared.pixelValues,
      await model.preprocess(image),
      await model.encode({
        type: "float32",
        dims: [1, 3, 64, 64],
        data: shared as unknown as Float32Array<ArrayBuffer>,
      }),
      await model.encode({ type: "float32", dims: [1, 3, 64, 64], data: view }),
      await model.project(float32([1, 16, 64])),
      await model.embedTokens(inputs.inputIds),
      (await model.prepareInputsEmbeds(inputs)).inputsEmbeds,
    ];
    const { imagesSeqMask, imagesEmbMask } = inputs;
    const imageEmbeds = float32([1, 16, 96]);
    const textEmbeds = float32([1, 17, 96]);
    const text = hex(textEmbeds);
    const fused = await model.fuse({ textEmbeds, imageEmbeds, imagesSeqMask, imagesEmbMask });
    assert.is(hex(textEmbeds), text, "text_embeds stays");
    assert.is.not(fused.dims, textEmbeds.dims);
    results.push(fused);

    const buffers = new Set<ArrayBufferLike>();
    for (const { data } of results) {
      assert.ok(data.buffer instanceof ArrayBuffer && data.byteOffset === 0);
      assert.is(data.byteLength, data.buffer.byteLength, "nothing but the tensor");
      buffers.add(data.buffer);
    }
    assert.is(buffers.size, results.length, "no two share memory");
    for (const view of Object.values(given)) assert.not.ok(buffers.has(view.buffer));
    assert.equal(
      Object.entries(given).map(([name, view]) => [name, bytes(view)]),
      before,
    );
  }));

test("writing into a result changes no later one", () =>
  withModel(async (model) => {
    const first = await model.embed(REQUEST, { stages: true });
    const expected = hex(first.inputsEmbeds);
    for (const { data } of [first.inputsEmbeds, ...Object.values(first.stages ?? {})]) data.fill(0);
    assert.is(hex((await model.embed(REQUEST)).inputsEmbeds), expected);
  }));

// ---- precision

for (const checkpoint of ["tiny-hf", "tiny-orig-f16"]) {
  test(`${checkpoint}: dtype fp32 gives the bytes of auto, in more memory`, async () => {
    const hashes: string[] = [];
    const weightBytes: number[] = [];
    for (const dtype of ["auto", "fp32"] as const) {
      const load = async (model: JanusModel): Promise<void> => {
        hashes.push(hex((await model.embed(REQUEST)).inputsEmbeds));
        weightBytes.push(model.runtime.weightBytes);
        assert.is(model.runtime.dtype, dtype === "fp32" ? "fp32" : checkpoint === "tiny-hf" ? "bf16" : "fp16");
      };
      await withModel(load, { ...TWO_THREADS, dtype }, golden(`checkpoints/${checkpoint}`));
    }
    assert.is(hashes[0], hashes[1]);
    assert.ok(weightBytes[1]! > 1.7 * weightBytes[0]!);
  });
}

test("NaN in a row of the token table: only prompts that use it are refused, and the model goes on", async () => {
  const table = "language_model.model.embed_tokens.weight";
  const files = withElement(recordedFiles("tiny-orig-safetensors"), table, 7 * 96 + 3, 0x7fc00000);
  await withModel(
    async (model) => {
      const good = hex(await model.embedTokens(int64([1, 3], [6, 8, -1])));
      await refused(
        model.embedTokens(int64([2, 2], [6, 7, 7, 1])),
        "E_NUMERIC",
        /^embedding tokens: expected finite numbers, got 1 NaN or infinite elements in the rows of language_model.model.embed/,
      );
      assert.is(hex(await model.embedTokens(int64([1, 3], [6, 8, 0]))), good);
    },
    TWO_THREADS,
    memorySource(files),
  );
});

test("sequences longer than a chunk: rows and slots land where they belong", async () => {
  const tower = { ...ODD_TOWER, blocks: 1, depth: 1 };
  await withModel(
    async (model) => {
      const { tokens, dim } = model.config;
      const T = 2500;
      const ids = Array.from({ length: 2 * T }, (_, i) => (i * 37) % 90);
      const text = await model.embedTokens(int64([2, T], ids));
      const each = await model.embedTokens(
        int64(
          [1, 90],
          Array.from({ length: 90 }, (_, i) => i),
        ),
      );
      ids.forEach((id, row) => {
        const actual = text.data.subarray(row * dim, (row + 1) * dim);
        assertSameBits(actual, each.data.subarray(id * dim, (id + 1) * dim), `row ${row}`);
      });
      // Slots on both sides of every chunk's border, and at both ends.
      const slots = [
        0, 1022, 1023, 1024, 1025, 2047, 2048, 2498, 2499, 2500, 3071, 3072, 4095, 4096, 4998, 4999, 5, 2600,
      ];
      const seq = new Uint8Array(2 * T);
      for (const slot of slots) seq[slot] = 1;
      const sorted = slots.sort((a, b) => a - b);
      const first = sorted.filter((slot) => slot < T).length;
      const emb = new Uint8Array(2 * 2 * tokens);
      emb.fill(1, 1, 1 + first).fill(1, 2 * tokens + 3, 2 * tokens + 3 + slots.length - first);
      const imageEmbeds = float32([2, 2, tokens, dim]);
      const fused = await model.fuse({
        textEmbeds: text,
        imageEmbeds,
        imagesSeqMask: bool([2, T], seq),
        imagesEmbMask: bool([2, 2, tokens], emb),
      });
      const expected = text.data.slice();
      const features = [...emb].flatMap((value, at) => (value ? [at] : []));
      sorted.forEach((slot, k) => {
        const feature = features[k]!;
        expected.set(imageEmbeds.data.subarray(feature * dim, (feature + 1) * dim), slot * dim);
      });
      assert.ok(bytesOf(fused).equals(Buffer.from(expected.buffer)));
    },
    TWO_THREADS,
    memorySource(towerFiles(tower, 90)),
  );
});

// ---- calls that come together

test("calls queue in order and do not mix", () =>
  withModel(async (model, host) => {
    const alone = hex((await model.embed(REQUEST)).inputsEmbeds);
    const text = hex((await model.embed({ prompt: "Text alone." })).inputsEmbeds);
    host.events.length = 0;
    const pixels = model.preprocess(FLOWER);
    const embeds = [0, 1, 2].map(() => model.embed(REQUEST));
    const other = model.embed({ prompt: "Text alone." });
    const last = model.embed(REQUEST);
    for (const call of [...embeds, last]) assert.is(hex((await call).inputsEmbeds), alone);
    assert.is(hex((await other).inputsEmbeds), text);
    assert.equal((await pixels).dims, [1, 3, 64, 64]);
    const embed = ["square", "encode", "project", "embedTokens", "fuse"];
    assert.equal(
      host.events.filter((event) => event.startsWith("run:")).map((event) => event.slice(4)),
      ["preprocess", ...embed, ...embed, ...embed, "embedTokens", ...embed],
    );
  }));

test("an error in one call is not the next one's", () =>
  withModel(async (model) => {
    const good = hex((await model.embed(REQUEST)).inputsEmbeds);
    const wrong = [
      refused(model.embed({ prompt: "<image_placeholder>" }), "E_PROMPT", /1 placeholder but 0 images/),
      refused(
        model.embed({ prompt: "<image_placeholder>", images: [golden("fuse/cases.json")] }),
        "E_IMAGE",
        /cases.json/,
      ),
      refused(model.preprocess(golden("no-such.png")), "E_IO", /no-such.png/),
      refused(model.encode(float32([1])), "E_SHAPE", /encode/),
    ];
    const next = model.embed(REQUEST);
    await Promise.all(wrong);
    assert.is(hex((await next).inputsEmbeds), good);
  }));

test("forty calls with one signal: one after another, no warning of listeners", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on("warning", onWarning);
  await withModel(async (model) => {
    const { signal } = new AbortController();
    const ids = int64([1, 2], [3, 4]);
    await Promise.all(Array.from({ length: 40 }, () => model.embedTokens(ids, { signal })));
    for (let time = 0; time < 12; time++) await model.embed(REQUEST, { signal });
  });
  process.off("warning", onWarning);
  assert.equal(warnings, []);
});

// ---- aborts

/** Everything that goes on in an embed, in order; the token table is read by range. */
const EMBED_EVENTS = [
  "read:tokenizer.json",
  "tokenizer",
  "tokenize",
  "decode",
  "run:square",
  "run:encode",
  "run:project",
  "read:model.safetensors",
  "run:embedTokens",
  "run:fuse",
];

test("F19 an embed goes through the stages at which aborts are tried", () =>
  withModel(async (model, host) => {
    host.events.length = 0;
    await model.embed(REQUEST);
    const seen = host.events.filter(
      (event, at, all) => event !== all[at - 1] && !/read:\w+_(config|tokens)/.test(event),
    );
    assert.equal(seen, EMBED_EVENTS);
  }));

for (const threads of [1, 2]) {
  for (const when of EMBED_EVENTS) {
    test(`F19 an abort at ${when}, ${threads} threads: the reason, promptly; then the same bytes as ever`, async () => {
      let controller: AbortController | undefined;
      const reason = new Error("changed my mind");
      let aborted = 0;
      const on = (event: string): void => {
        if (event !== when || !controller) return;
        aborted = performance.now();
        controller.abort(reason);
      };
      await withModel(
        async (model) => {
          controller = new AbortController();
          const { signal } = controller;
          assert.is(await rejection(within(PROMPT_MS, model.embed(REQUEST, { signal }), "the abort")), reason);
          assert.ok(aborted > 0 && performance.now() - aborted < ABORT_MS, `${performance.now() - aborted} ms`);
          controller = undefined;
          const after = await within(20_000, model.embed(REQUEST), "the next call");
          assert.is(hex(after.inputsEmbeds), await expectedBytes());
        },
        { variant: "simd", threads },
        TINY,
        on,
      );
    });
  }
}

let expected: Promise<string> | undefined;

/** What an undisturbed model makes of REQUEST. */
function expectedBytes(): Promise<string> {
  expected ??= (async () => {
    const model = await JanusModel.load(nodeHost(), TINY, TWO_THREADS);
    const out = await model.embed(REQUEST);
    await model.dispose();
    return hex(out.inputsEmbeds);
  })();
  return expected;
}

test("F19 an abort before the start, and while queued: the reason, and nothing is done", () =>
  withModel(async (model, host) => {
    const reason = { any: "value" };
    const aborted = { signal: AbortSignal.abort(reason) };
    host.events.length = 0;
    const calls: Promise<unknown>[] = [
      model.embed(REQUEST, aborted),
      model.prepare(REQUEST, aborted),
      model.preprocess(CHINA, aborted),
      model.encode(float32([1, 3, 64, 64]), aborted),
      model.project(float32([1, 16, 64]), aborted),
      model.embedTokens(int64([1, 1], [1]), aborted),
      model.prepareInputsEmbeds(modelInputs(model, [1]), aborted),
    ];
    for (const call of calls) assert.is(await rejection(call), reason);
    const controller = new AbortController();
    const running = model.embed(REQUEST);
    const queued = model.embed({ prompt: "queued" }, { signal: controller.signal });
    controller.abort(reason);
    assert.is(await rejection(queued), reason);
    assert.is(hex((await running).inputsEmbeds), await expectedBytes());
    assert.is(host.events.filter((event) => event === "tokenize").length, 1, "the queued one never began");
  }));

test("F20 AbortSignal.timeout", () =>
  withModel(async (model) => {
    const signal = AbortSignal.timeout(1);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.is(((await rejection(model.embed(REQUEST, { signal }))) as Error).name, "TimeoutError");
    assert.is(hex((await model.embed(REQUEST)).inputsEmbeds), await expectedBytes());
  }));

/** About 60 GFLOP an image: a tower in which an abort has something to interrupt. */
const LARGER = {
  ...ODD_TOWER,
  imageSize: 400,
  patchSize: 8,
  width: 256,
  heads: 4,
  mlpWidth: 1024,
  blocks: 6,
  dim: 256,
};

test(`F19 an abort in the middle of a larger tower is through within ${ABORT_MS} ms, wherever it comes`, async () => {
  await withModel(
    async (model) => {
      const { imageSize } = model.config;
      const pixels = float32([1, 3, imageSize, imageSize]);
      await model.encode(pixels);
      const began = performance.now();
      await model.encode(pixels);
      const whole = performance.now() - began;
      assert.ok(whole > 20, `${whole} ms are too few to interrupt`);
      const latencies: number[] = [];
      for (let part = 0; part < 10; part++) {
        const controller = new AbortController();
        const work = rejection(model.encode(pixels, { signal: controller.signal }));
        await new Promise((resolve) => setTimeout(resolve, (whole * part) / 12));
        const aborted = performance.now();
        controller.abort("enough");
        if ((await work) !== "enough") continue; // It was quicker this time.
        // The caller is answered at once; the next call begins when the workers have left.
        await model.embedTokens(int64([1, 1], [1]));
        latencies.push(performance.now() - aborted);
      }
      assert.ok(latencies.length >= 5, `${latencies.length} of 10 were interrupted`);
      // All but one: the machine may have been elsewhere.
      const second = latencies.sort((x, y) => y - x)[1]!;
      assert.ok(second < ABORT_MS, `${latencies.map(Math.round)} ms`);
    },
    TWO_THREADS,
    memorySource(towerFiles(LARGER, 10)),
  );
});

// ---- loading

test("an abort at any moment of loading: the reason, and nothing is left", async () => {
  const all = watchedHost();
  await (await JanusModel.load(all, TINY, TWO_THREADS)).dispose();
  const moments = all.events.slice(0, all.events.indexOf("close")).length;
  assert.ok(moments > 20, `${all.events}`);
  for (let moment = 1; moment <= moments; moment += moment < 12 ? 1 : 7) {
    const controller = new AbortController();
    let count = 0;
    const host = watchedHost(() => {
      if (++count === moment) controller.abort("enough");
    });
    const load = JanusModel.load(host, TINY, { ...TWO_THREADS, signal: controller.signal });
    assert.is(await rejection(within(PROMPT_MS, load, `moment ${moment}`)), "enough", `moment ${moment}`);
    assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 }, `moment ${moment}`);
  }
  const host = watchedHost();
  assert.is(await rejection(JanusModel.load(host, TINY, { signal: AbortSignal.abort("before") })), "before");
  assert.equal(host.events, []);
});

const BAD_WEIGHTS: readonly (readonly [string, string, string, number, number])[] = [
  ["tiny-orig-safetensors", "f32", "vision_model.vision_tower.blocks.1.mlp.fc1.weight", 12, 0x7fc00000],
  ["tiny-orig-safetensors", "f32 bias", "vision_model.vision_tower.norm.bias", 0, 0x7f800000],
  ["tiny-orig-safetensors", "f32 positions", "vision_model.vision_tower.pos_embed", 1023, 0xff800000],
  ["tiny-orig-f16", "f16", "aligner.layers.2.weight", 5, 0x7c00],
  ["tiny-hf", "bf16, q of q|k|v", "model.vision_model.encoder.layers.0.self_attn.q_proj.weight", 6399, 0x7fc0],
  ["tiny-hf", "bf16, k of q|k|v", "model.vision_model.encoder.layers.0.self_attn.k_proj.weight", 0, 0x7fc0],
  ["tiny-hf", "bf16, v of q|k|v", "model.vision_model.encoder.layers.1.self_attn.v_proj.bias", 79, 0x7f80],
];

for (const [checkpoint, what, tensor, element, bits] of BAD_WEIGHTS) {
  test(`a weight that is not finite (${what}) is E_NUMERIC and names its tensor alone`, async () => {
    const host = watchedHost();
    const files = withElement(recordedFiles(checkpoint), tensor, element, bits);
    const error = await refused(JanusModel.load(host, memorySource(files), TWO_THREADS), "E_NUMERIC", /in 1 tensors: /);
    assert.ok(error.message.endsWith(`: ${tensor} (1)`), error.message);
    assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 });
  });
}

test("several of them are all named, with how many elements", async () => {
  let files: Files = recordedFiles("tiny-orig-safetensors");
  for (const element of [0, 5, 63]) files = withElement(files, "aligner.layers.0.weight", element, 0x7fc00000);
  files = withElement(files, "vision_model.vision_tower.blocks.0.norm1.weight", 1, 0x7f800000);
  const load = JanusModel.load(nodeHost(), memorySource(files), TWO_THREADS);
  await refused(load, "E_NUMERIC", /2 tensors: .*blocks.0.norm1.weight \(1\), aligner.layers.0.weight \(3\)$/);
});

// ---- disposal

for (const [what, calls] of [
  ["embed", (model: JanusModel) => [model.embed(REQUEST), model.embed(REQUEST)]],
  ["encode", (model: JanusModel) => [model.encode(float32([9, 3, 64, 64])), model.project(float32([1, 16, 64]))]],
] as const) {
  test(`F21 dispose while ${what} runs and another waits: both E_DISPOSED, and so are all after`, async () => {
    const host = watchedHost();
    const model = await JanusModel.load(host, TINY, TWO_THREADS);
    const work = calls(model).map((call: Promise<unknown>) =>
      refused(within(PROMPT_MS, call, what), "E_DISPOSED", /disposed/),
    );
    await until(() => host.events.some((event) => /tokenizer|run:encode/.test(event)), "it runs");
    await within(PROMPT_MS, model.dispose(), "dispose");
    await Promise.all(work);
    assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 });
    for (const late of calls(model)) await refused(late, "E_DISPOSED", /^this model was disposed of; load it again$/);
    await Promise.all([model.dispose(), model.dispose()]);
    assert.is(host.events.filter((event) => event === "close").length, 1, "closed once");
    assert.is(host.events.filter((event) => event === "dispose").length, 1);
    assert.is(model.config.dim, 96, "the configuration is still there");
  });
}

for (const when of EMBED_EVENTS) {
  test(`F21 dispose at ${when}: the call is E_DISPOSED at once, and nothing is left`, async () => {
    let disposed: Promise<void> | undefined;
    let model: JanusModel | undefined;
    const host = watchedHost((event) => {
      if (event === when) disposed ??= model?.dispose();
    });
    model = await JanusModel.load(host, TINY, TWO_THREADS);
    const call = within(PROMPT_MS, model.embed(REQUEST), "embed");
    await refused(call, "E_DISPOSED", /disposed/);
    await within(PROMPT_MS, disposed ?? Promise.reject(new Error("it was not disposed of")), "dispose");
    assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 });
  });
}

test("dispose does not wait for a picture that takes long to decode", async () => {
  const inner = watchedHost();
  const host = {
    ...inner,
    decode: (_image: ImageInput, _index: number, signal?: AbortSignal) =>
      new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
  };
  const model = await JanusModel.load(host, TINY, TWO_THREADS);
  const call = refused(model.preprocess(CHINA), "E_DISPOSED", /disposed/);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await within(PROMPT_MS, model.dispose(), "dispose");
  await call;
});

test("await using disposes at the end of the block", async () => {
  const host = watchedHost();
  {
    await using model = await JanusModel.load(host, TINY, TWO_THREADS);
    assert.is(host.held().workers, 2);
    await model.embed(REQUEST);
  }
  assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 });
});

test("a WeightSource of the caller's own stays open", async () => {
  let closed = false;
  const close = async (): Promise<void> => {
    closed = true;
  };
  const source = { ...memorySource(recordedFiles("tiny-orig-safetensors")), close };
  await withModel(async (model) => void (await model.embed(REQUEST)), TWO_THREADS, source);
  assert.not.ok(closed);
});

test("a worker that dies ends the call and the model, not the process", async () => {
  const host = watchedHost();
  const model = await JanusModel.load(host, TINY, TWO_THREADS);
  const broken = { type: "float32", dims: [9, 3, 64, 64], data: new Float32Array(9 * 3 * 64 * 64) } as const;
  const call = model.encode(broken);
  await until(() => host.events.includes("run:encode"), "it runs");
  // A message that no host sends: the worker throws outside of any program.
  host.workers[1]?.post({ kind: "run", program: "no-such-program", input: 1, own: 1 }, []);
  const error = (await rejection(within(PROMPT_MS, call, "encode"))) as JanusError;
  assert.is(error.code, "E_INTERNAL", error.message);
  assert.match(error.message, /load the model again$/);
  await refused(model.embedTokens(int64([1, 1], [1])), "E_INTERNAL", /load the model again$/);
  await within(PROMPT_MS, model.dispose(), "dispose");
  assert.equal(host.held(), { sources: 0, workers: 0, tokenizers: 0 });
});

// ---- the process around it

function inProcess(body: string): { status: number | null; stdout: string; stderr: string } {
  const source = `
    import { Janus } from "${ROOT}dist/entry/node/index.js";
    const load = () => Janus.load(${JSON.stringify(TINY)}, { threads: 2 });
    const request = ${JSON.stringify(REQUEST)};
    ${body}`;
  const args = ["--unhandled-rejections=strict", "--input-type=module", "--eval", source];
  return spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
}

for (const [what, body, output] of [
  [
    "a model that was never disposed of keeps no process",
    `const model = await load(); const out = await model.embed(request); console.log(out.inputsEmbeds.dims.join());`,
    /^1,\d+,96\n$/,
  ],
  [
    "work that nobody awaits at the top level is finished all the same",
    `load().then((model) => model.embed(request)).then((out) => console.log(out.inputsEmbeds.dims.join()));`,
    /^1,\d+,96\n$/,
  ],
  [
    "loading alone, loading and disposing: the process ends",
    `await load(); const model = await load(); await model.dispose(); await model.dispose(); console.log("end");`,
    /^end\n$/,
  ],
  [
    "an aborted call nobody handles further keeps no process",
    `const model = await load(); const c = new AbortController();
     const call = model.embed(request, { signal: c.signal }).catch((e) => console.log(e.name));
     setTimeout(() => c.abort(), 20); await call;`,
    /^AbortError\n$/,
  ],
  [
    "a failed load keeps no process",
    `await Janus.load(${JSON.stringify(golden("cases"))}).catch((e) => console.log(e.code));`,
    /^E_CONFIG\n$/,
  ],
  [
    "dispose with work under way, its rejection handled later than the same tick",
    `const model = await load(); const call = model.embed(request).catch((e) => e.code);
     await new Promise((r) => setTimeout(r, 30)); await model.dispose(); console.log(await call);`,
    /^(E_DISPOSED|\[object Object\])\n$/,
  ],
] as const) {
  test(what, () => {
    const { status, stdout, stderr } = inProcess(body);
    assert.equal([status, stderr], [0, ""]);
    assert.match(stdout, output);
  });
}

test("models that were disposed of keep no weights, even where somebody keeps the models", () => {
  const source = `
    import { JanusModel } from "${ROOT}dist/entry/janus.js";
    import { nodeHost } from "${ROOT}dist/entry/node/host.js";
    import { towerFiles } from "${new URL("../../support/checkpoint-files.js", import.meta.url)}";
    import { memorySource } from "${new URL("../../support/fuse-checkpoint.js", import.meta.url)}";
    const tower = { imageSize: 16, patchSize: 16, width: 1024, heads: 8, mlpWidth: 1024, blocks: 2, dim: 1024, depth: 2 };
    const files = memorySource(towerFiles(tower, 10));
    const megabytes = async () => {
      for (let i = 0; i < 5; i++) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return process.memoryUsage().rss / 1e6;
    };
    const kept = [];
    const seen = [];
    for (let n = 0; n < 7; n++) {
      const model = await JanusModel.load(nodeHost(), files, { threads: 2 });
      await model.dispose();
      kept.push(model);
      seen.push(await megabytes());
    }
    console.log(JSON.stringify({ weights: kept[0].runtime.weightBytes / 1e6, seen }));`;
  const args = ["--expose-gc", "--input-type=module", "--eval", source];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
  assert.is(stderr, "");
  const { weights, seen } = JSON.parse(stdout) as { weights: number; seen: number[] };
  assert.ok(weights > 50, `${weights} MB are too few to see`);
  // The first two settle the heap; five kept models would hold five times the weights, one may still wait to be collected.
  const growth = Math.min(...seen.slice(4)) - seen[1]!;
  assert.ok(growth < 1.5 * weights, `weights ${weights} MB, resident ${seen.map(Math.round)} MB`);
});

test.run();
