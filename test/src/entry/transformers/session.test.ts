/** The session over a real model, called as transformers.js calls it; within transformers.js see test/acceptance/transformers.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { EmbedRequest } from "#dist/entry/node/index.js";
import { Janus } from "#dist/entry/node/index.js";
import type { Feeds } from "#dist/entry/transformers/feeds.js";
import { type EmbeddingModel, PrepareInputsEmbedsSession } from "#dist/entry/transformers/index.js";
import type { Tensor } from "#dist/tensor.js";
import { countedModel } from "../../../support/counted-model.js";
import { golden } from "../../../support/paths.js";
import { refused, refusedNow } from "../../../support/refusal.js";
import { rejection, until, within } from "../../../support/waiting.js";

const test = suite("entry/transformers/session");

const CHINA = golden("images/china-150x100.png");
const FLOWER = golden("images/flower-80x110.png");
const TWO: EmbedRequest = { prompt: "<image_placeholder> and <image_placeholder>", images: [CHINA, FLOWER] };
const PROMPT_MS = 200;

/** As transformers.js' holds onnxruntime's. */
class HostTensor {
  readonly ort_tensor: { readonly type: string; readonly data: Float32Array; readonly dims: readonly number[] };
  constructor(type: "float32", data: Float32Array, dims: number[]) {
    this.ort_tensor = { type, data, dims };
  }
}

let janus: Janus;

test.before(async () => {
  janus = await Janus.load(golden("checkpoints/tiny-orig-safetensors"), { threads: 1 });
});

test.after(() => janus.dispose());

const session = (model: EmbeddingModel = janus, cachedImages?: number) =>
  new PrepareInputsEmbedsSession(model, { Tensor: HostTensor, ...(cachedImages !== undefined && { cachedImages }) });

const int64 = (dims: readonly number[], values: readonly number[]): Tensor<"int64"> => ({
  type: "int64",
  dims,
  data: BigInt64Array.from(values, BigInt),
});
const falses = (...dims: readonly number[]): Tensor<"bool"> => ({
  type: "bool",
  dims,
  data: new Uint8Array(dims.reduce((a, b) => a * b, 1)),
});
const NO_PIXELS: Tensor<"float32"> = { type: "float32", dims: [0, 0, 3, 384, 384], data: new Float32Array(0) };

/** What a processor makes of requests. */
async function prepared(requests: EmbedRequest | readonly EmbedRequest[]): Promise<Feeds> {
  const { inputIds, pixelValues, imagesSeqMask, imagesEmbMask } = await janus.prepare(requests);
  return {
    input_ids: inputIds,
    pixel_values: pixelValues,
    images_seq_mask: imagesSeqMask,
    images_emb_mask: imagesEmbMask,
  };
}

/** The reference's function on the same inputs. */
async function expected(feeds: Feeds): Promise<Tensor<"float32">> {
  const { inputsEmbeds } = await janus.prepareInputsEmbeds({
    inputIds: feeds.input_ids as Tensor<"int64">,
    pixelValues: feeds.pixel_values as Tensor<"float32">,
    imagesSeqMask: feeds.images_seq_mask as Tensor<"bool">,
    imagesEmbMask: feeds.images_emb_mask as Tensor<"bool">,
  });
  return inputsEmbeds;
}

function same(result: { inputs_embeds: HostTensor }, wanted: Tensor<"float32">, what?: string): void {
  assert.equal(Object.keys(result), ["inputs_embeds"]);
  const { type, dims, data } = result.inputs_embeds.ort_tensor;
  assert.is(type, "float32");
  assert.equal(dims, wanted.dims, what);
  assert.ok(Buffer.from(data.buffer).equals(Buffer.from(wanted.data.buffer)), what);
}

const pixelsOf = (feeds: Feeds): Float32Array => feeds.pixel_values.data as Float32Array;

test("what transformers.js looks at: the names, a release", () => {
  assert.equal(session().inputNames, ["input_ids", "pixel_values", "images_seq_mask", "images_emb_mask"]);
  assert.equal(session().outputNames, ["inputs_embeds"]);
  assert.type(session().release, "function");
});

test("pictures: the bytes of prepareInputsEmbeds, also for a batch with padding and for pictures that no row uses", async () => {
  for (const requests of [
    TWO,
    [TWO, { prompt: "none" }, { prompt: "one <image_placeholder>, long enough to be padded around", images: [FLOWER] }],
  ]) {
    const feeds = await prepared(requests);
    const counted = countedModel(janus);
    same(await session(counted.model).run(feeds), await expected(feeds));
    assert.is(counted.encoded(), 2, "each picture once, the zeros beside them never");
  }
});

test("no true element in a mask: the rows of the token table, whatever shape pixels and masks have", async () => {
  const { tokens } = janus.config;
  const counted = countedModel(janus);
  const own = session(counted.model);
  const cases: Record<string, Feeds> = {
    "text alone": {
      input_ids: int64([1, 4], [1, 2, 3, 4]),
      pixel_values: NO_PIXELS,
      images_seq_mask: falses(1, 4),
      images_emb_mask: falses(1, 0, tokens),
    },
    "a further token": {
      input_ids: int64([1, 1], [7]),
      pixel_values: NO_PIXELS,
      images_seq_mask: falses(1, 1),
      images_emb_mask: falses(1, 1, 0),
    },
    "ids doubled for guidance": {
      input_ids: int64([2, 3], [5, 6, 7, 2, 2, 2]),
      pixel_values: NO_PIXELS,
      images_seq_mask: falses(1, 3),
      images_emb_mask: falses(1, 0, tokens),
    },
    "pixels that no mask uses": {
      input_ids: int64([1, 2], [5, -3]),
      pixel_values: { type: "float32", dims: [1, 1, 3, 5, 5], data: new Float32Array(75).fill(Number.NaN) },
      images_seq_mask: falses(1, 2),
      images_emb_mask: falses(1, 1, tokens),
    },
  };
  for (const [name, feeds] of Object.entries(cases)) {
    same(await own.run(feeds), await janus.embedTokens(feeds.input_ids as Tensor<"int64">), name);
  }
  assert.is(counted.encoded(), 0);
});

test("a picture is encoded once, whatever prompts it is in and whichever array it lies in", async () => {
  const counted = countedModel(janus);
  const own = session(counted.model);
  const two = await prepared(TWO);
  const wanted = await expected(two);
  const first = await own.run(two);
  same(first, wanted);
  first.inputs_embeds.ort_tensor.data.fill(0);
  same(await own.run(two), wanted, "a result is its caller's, who may write to it");
  assert.is(counted.encoded(), 2);

  const other = await prepared({ prompt: "<image_placeholder><image_placeholder> again", images: [FLOWER, FLOWER] });
  const [a, b] = await Promise.all([own.run(other), own.run(other)]);
  const twice = await expected(other);
  same(a, twice);
  same(b, twice);
  assert.is(counted.encoded(), 2);
});

test("an array that its caller filled with another picture is another picture", async () => {
  const counted = countedModel(janus);
  const own = session(counted.model);
  const feeds = await prepared({ prompt: "<image_placeholder>", images: [CHINA] });
  await own.run(feeds);
  const { pixel_values } = await prepared({ prompt: "<image_placeholder>", images: [FLOWER] });
  pixelsOf(feeds).set(pixel_values.data as Float32Array);
  same(await own.run(feeds), await expected(feeds));
  assert.is(counted.encoded(), 2);
  const pixels = pixelsOf(feeds);
  pixels[pixels.length - 1] = (pixels.at(-1) ?? 0) + 0.25;
  same(await own.run(feeds), await expected(feeds), "one element of many");
  assert.is(counted.encoded(), 3);
});

test("feeds are read before run returns: what is written to them then is not seen", async () => {
  const counted = countedModel(janus, () => new Promise((resolve) => setTimeout(resolve, 5)));
  const own = session(counted.model);
  const feeds = await prepared(TWO);
  const wanted = await expected(feeds);
  const running = own.run(feeds);
  (feeds.images_seq_mask.data as Uint8Array).fill(0);
  (feeds.images_emb_mask.data as Uint8Array).fill(0);
  pixelsOf(feeds).fill(Number.NaN);
  (feeds.input_ids.data as BigInt64Array).fill(1_000_000n);
  same(await running, wanted);
});

test("cachedImages bounds what is kept", async () => {
  for (const [cachedImages, encodes] of [
    [0, 4],
    [1, 4],
    [2, 2],
  ] as const) {
    const counted = countedModel(janus);
    const own = session(counted.model, cachedImages);
    const feeds = await prepared(TWO);
    await own.run(feeds);
    same(await own.run(feeds), await expected(feeds));
    assert.is(counted.encoded(), encodes, `${cachedImages} kept`);
  }
});

test("wrong inputs are refused before anything is encoded, and the session stays usable", async () => {
  const { tokens, imageSize, vocabRows, maxPositions } = janus.config;
  const counted = countedModel(janus);
  const own = session(counted.model);
  const good = await prepared({ prompt: "<image_placeholder>", images: [CHINA] });
  const [, length = 0] = good.input_ids.dims;
  const wrong = (changes: Partial<Record<keyof Feeds, unknown>>): Promise<unknown> =>
    own.run({ ...good, ...changes } as Feeds);
  const pixels = (...dims: number[]) => ({
    type: "float32",
    dims,
    data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
  });

  await refused(wrong({ images_emb_mask: undefined }), "E_SHAPE", /no tensor images_emb_mask/);
  await refused(wrong({ input_ids: { ...good.input_ids, type: "int32" } }), "E_PROMPT", /int64/);
  await refused(wrong({ input_ids: { ...good.input_ids, data: [1, 2] } }), "E_PROMPT", /BigInt64Array/);
  await refused(wrong({ input_ids: int64([1, 1], [vocabRows]) }), "E_PROMPT", /beyond the token table/);
  const long = int64([1, maxPositions + 1], Array(maxPositions + 1).fill(1));
  await refused(wrong({ input_ids: long }), "E_PROMPT", /max_position_embeddings/);
  await refused(wrong({ images_seq_mask: { ...falses(1, length), type: "uint8" } }), "E_PROMPT", /bool/);
  await refused(
    wrong({ images_seq_mask: falses(1, length) }),
    "E_PROMPT",
    /row 0 has 0 image slots .* \d+ image features/,
  );
  await refused(wrong({ images_emb_mask: falses(1, 1, tokens) }), "E_PROMPT", /counts must agree/);
  await refused(wrong({ pixel_values: NO_PIXELS }), "E_SHAPE", /pixel_values must be float32/);
  await refused(wrong({ pixel_values: pixels(1, 1, 3, imageSize, imageSize + 1) }), "E_SHAPE", /pixel_values/);
  await refused(wrong({ pixel_values: { ...good.pixel_values, type: "float16" } }), "E_SHAPE", /float16/);
  const doubled = int64(
    [2, length],
    [...Array(2)].flatMap(() => Array.from(good.input_ids.data as BigInt64Array, Number)),
  );
  await refused(wrong({ input_ids: doubled }), "E_PROMPT", /images_seq_mask must be/);
  assert.is(counted.encoded(), 0);

  const broken = pixelsOf(good).slice();
  broken[7] = Number.NaN;
  await refused(wrong({ pixel_values: { ...good.pixel_values, data: broken } }), "E_NUMERIC", /finite/);
  same(await own.run(good), await expected(good));
});

test("an abort rejects with its reason, and leaves the session usable", async () => {
  let waiting = 0;
  const counted = countedModel(janus, async () => {
    waiting++;
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
  const own = session(counted.model);
  const feeds = await prepared(TWO);
  const abort = new AbortController();
  const running = rejection(own.run(feeds, { signal: abort.signal }));
  await until(() => waiting === 1, "the first picture is being encoded");
  const reason = new Error("enough");
  abort.abort(reason);
  assert.is(await within(PROMPT_MS, running, "abort"), reason);
  assert.is(await rejection(own.run(feeds, { signal: AbortSignal.abort(reason) })), reason, "aborted before");
  same(await own.run(feeds), await expected(feeds));
});

test("released, it refuses; the model stays its caller's", async () => {
  let waiting = false;
  const counted = countedModel(janus, async () => {
    waiting = true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
  const own = session(counted.model);
  const feeds = await prepared(TWO);
  const running = own.run(feeds);
  await Promise.all([
    refused(running, "E_DISPOSED", /released/),
    until(() => waiting, "it is being encoded").then(() => own.release()),
  ]);
  await own.release();
  await refused(own.run(feeds), "E_DISPOSED", /released; make another/);
  same(await session().run(feeds), await expected(feeds));
});

test("a model that was disposed of is E_DISPOSED", async () => {
  const other = await Janus.load(golden("checkpoints/tiny-orig-safetensors"), { threads: 1 });
  const own = session(other);
  const feeds = await prepared(TWO);
  await other.dispose();
  await refused(own.run(feeds), "E_DISPOSED");
});

test("what the tensor holds is not found by a walk over the result", async () => {
  const feeds = await prepared({ prompt: "text" });
  const { inputs_embeds } = await session().run(feeds);
  assert.instance(inputs_embeds, HostTensor);
  assert.equal(Object.keys(inputs_embeds), []);
  assert.ok(inputs_embeds.ort_tensor.data.length > 0);
});

test("options that are none are E_USAGE", () => {
  for (const options of [undefined, {}, { Tensor: {} }]) {
    refusedNow(() => new PrepareInputsEmbedsSession(janus, options as never), "E_USAGE", /Tensor class/);
  }
  for (const cachedImages of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "8"]) {
    refusedNow(() => session(janus, cachedImages as number), "E_USAGE", /cachedImages/);
  }
});

test.run();
