import { JanusError } from "../errors.js";
import type { JanusConfig } from "../model/config.js";
import { readTableRows } from "../model/embedding.js";
import type { Pairing } from "../model/fusion.js";
import { distinctRows, tokenRows } from "../model/token-ids.js";
import type { Tensor } from "../tensor.js";
import { STORAGE_BYTES } from "../wasm/abi.js";
import { ALIGNMENT } from "../wasm/memory.js";
import type { Engine, TowerImage } from "./engine.js";
import { checkFloats, stackFloats, zeroFloats } from "./floats.js";
import type { OpenModel } from "./load.js";
import type { Timings } from "./timings.js";
import { timed } from "./timings.js";
import { STORAGE_OF } from "./weights.js";

/** Rows of a sequence that are embedded and fused at a time: bounds what the workers' memory grows by. */
const CHUNK_ROWS = 1024;

/** Bytes that embedding and fusing take of the workers' memory at most. */
export function sequenceBytes({ dim, maxPositions }: Pick<JanusConfig, "dim" | "maxPositions">): number {
  // Two lists of rows in f32 and an index, each on a cache line of its own.
  return Math.min(CHUNK_ROWS, maxPositions) * (2 * dim * 4 + 4) + 3 * ALIGNMENT;
}

/** text_embeds [B,T,D] of input_ids [B,T]. Reads the distinct rows of each chunk from the source, never the table. */
export async function embedTokenIds(
  engine: Engine,
  model: OpenModel,
  inputIds: Tensor<"int64">,
  signal?: AbortSignal,
): Promise<Tensor<"float32">> {
  const { dim, vocabRows } = model.config;
  const rows = tokenRows(inputIds, vocabRows);
  const storage = STORAGE_OF[model.embedTokens.dtype];
  const read = (first: number, count: number): Promise<Uint8Array> =>
    model.checkpoint.readRows(model.embedTokens, first, count, signal);
  const tensor = (data: Float32Array<ArrayBuffer>): Tensor<"float32"> => ({
    type: "float32",
    dims: [...inputIds.dims, dim],
    data,
  });
  const inOne = rows.length <= CHUNK_ROWS;
  const data = zeroFloats([inOne ? 0 : rows.length, dim]);
  for (let begin = 0; begin < rows.length; begin += CHUNK_ROWS) {
    const chunk = rows.subarray(begin, begin + CHUNK_ROWS);
    const { distinct, index } = distinctRows(chunk);
    const table = await readTableRows(read, distinct, dim * STORAGE_BYTES[storage], signal);
    const input = { rows: chunk.length, distinct: distinct.length, storage };
    const { embeds, bad } = await engine.embedTokens(input, { table, index }, signal);
    if (bad > 0) {
      throw new JanusError(
        "E_NUMERIC",
        `embedding tokens: expected finite numbers, got ${bad} NaN or infinite elements in the rows of ${model.embedTokens.names[0]} that this prompt uses`,
      );
    }
    if (inOne) return tensor(embeds);
    data.set(embeds, begin * dim);
  }
  return tensor(data);
}

/** inputs_embeds: the text rows with feature `pairing.features[k]` copied to slot `pairing.slots[k]`, byte for byte. */
export function fuseRows(
  engine: Engine,
  text: Tensor<"float32">,
  /** f32 [n,P,D] of the images in `pairing.images`, in that order. */
  imageEmbeds: Float32Array,
  pairing: Pairing,
  tokens: number,
  signal?: AbortSignal,
): Promise<Tensor<"float32">> {
  const own = { ...text, data: text.data.slice() };
  return fuseOwnRows(engine, own, imageEmbeds.slice(), pairing, tokens, signal);
}

/** `fuseRows` of arrays of their own, which are given away: a sequence has several megabytes, and edge workers count each copy. */
async function fuseOwnRows(
  engine: Engine,
  text: Tensor<"float32">,
  imageEmbeds: Float32Array<ArrayBuffer>,
  pairing: Pairing,
  tokens: number,
  signal?: AbortSignal,
): Promise<Tensor<"float32">> {
  const dim = text.dims.at(-1) ?? 0;
  const place = new Map(pairing.images.map((image, at) => [image, at]));
  const { data } = text;
  const total = data.length / dim;
  let pair = 0;
  for (let begin = 0; begin < total; begin += CHUNK_ROWS) {
    const end = Math.min(begin + CHUNK_ROWS, total);
    const first = pair;
    while (pair < pairing.slots.length && (pairing.slots[pair] ?? 0) < end) pair++;
    const sources = pair - first;
    if (sources === 0) continue;
    const rowsOf = Int32Array.from({ length: sources }, (_, k) => {
      const feature = pairing.features[first + k] ?? 0;
      return (place.get(Math.floor(feature / tokens)) ?? 0) * tokens + (feature % tokens);
    });
    const inOrder = sources * dim === imageEmbeds.length && rowsOf.every((row, k) => row === k);
    const source = inOrder ? imageEmbeds : new Float32Array(sources * dim);
    if (!inOrder)
      for (const [k, row] of rowsOf.entries()) source.set(imageEmbeds.subarray(row * dim, (row + 1) * dim), k * dim);
    const index = pairing.slots.slice(first, pair).map((slot) => slot - begin);
    const rows = end - begin;
    if (rows === total) {
      const fused = await engine.fuse({ rows, sources }, { text: data, source, index }, signal);
      return { type: "float32", dims: [...text.dims], data: fused };
    }
    const own = { text: data.slice(begin * dim, end * dim), source, index };
    data.set(await engine.fuse({ rows, sources }, own, signal), begin * dim);
  }
  return { type: "float32", dims: [...text.dims], data };
}

/** Stages by the names of `embed --stages`. */
export type Stages = Readonly<Record<string, Tensor<"float32">>>;

/** Encodes, projects, embeds and fuses; `images` are those of `pairing.images`, in order, and taken when their turn comes. */
export async function embedSequence(
  engine: Engine,
  model: OpenModel,
  inputIds: Tensor<"int64">,
  images: Iterable<TowerImage> | AsyncIterable<TowerImage>,
  pairing: Pairing,
  timings: Timings,
  taps: boolean,
  signal: AbortSignal,
): Promise<{ inputsEmbeds: Tensor<"float32">; stages?: Stages }> {
  const { tokens, width, dim, blocks } = model.config;
  const features: Float32Array[] = [];
  const embeds: Float32Array<ArrayBuffer>[] = [];
  const tapped = new Map<string, Float32Array[]>();
  if (taps) for (const stage of stageNames(blocks)) tapped.set(stage, []);
  for await (const image of images) {
    const encoded = await timed(timings, "encode", () => engine.encode(image, taps, signal));
    for (const [stage, data] of encoded.stages) tapped.get(stage)?.push(data);
    embeds.push(
      await timed(timings, "project", () =>
        taps ? engine.project(encoded.features, signal) : engine.projectOwn(encoded.features, signal),
      ),
    );
    if (taps) features.push(encoded.features);
  }
  const [first = new Float32Array(0), ...others] = embeds;
  const dims = [embeds.length, tokens, dim];
  const imageEmbeds: Tensor<"float32"> =
    others.length === 0 ? { type: "float32", dims, data: first } : stackFloats(embeds, dims);
  return timed(timings, "fuse", async () => {
    const text = await embedTokenIds(engine, model, inputIds, signal);
    const fuse = taps ? fuseRows : fuseOwnRows;
    const inputsEmbeds = await fuse(engine, text, imageEmbeds.data, pairing, tokens, signal);
    if (!taps) return { inputsEmbeds };
    const stages: Record<string, Tensor<"float32">> = {};
    for (const [stage, data] of tapped) stages[stage] = stackFloats(data, [data.length, tokens, width]);
    stages["image_features"] = stackFloats(features, [features.length, tokens, width]);
    stages["image_embeds"] = imageEmbeds;
    stages["text_embeds"] = text;
    return { inputsEmbeds, stages };
  });
}

/** pixel_values [B,N,3,S,S] as the reference's processor batches them: zeros where a row has fewer images. */
export function batchPixels(
  size: number,
  pixels: readonly Float32Array[],
  pairing: Pairing,
  maskDims: readonly number[],
): Tensor<"float32"> {
  const dims = [maskDims[0] ?? 0, maskDims[1] ?? 0, 3, size, size];
  const data = zeroFloats(dims);
  for (const [at, image] of pairing.images.entries()) {
    const source = pixels[at];
    if (source) data.set(source, image * source.length);
  }
  return { type: "float32", dims, data };
}

/** Names of the tapped stages, in order. */
function stageNames(blocks: number): string[] {
  return ["vision.patch_embed", ...Array.from({ length: blocks }, (_, n) => `vision.block.${n}`)];
}

/** The embeddings [n,P,D] of the images a pairing uses, from either form the caller may have them in. */
export function usedEmbeds(
  imageEmbeds: Tensor<"float32">,
  embMask: Tensor<"bool">,
  pairing: Pairing,
  tokens: number,
  dim: number,
): Float32Array {
  if (pairing.images.length === 0) return new Float32Array(0);
  const four = imageEmbeds?.dims?.length === 4;
  checkFloats("fuse", "image_embeds", imageEmbeds, four ? [null, null, tokens, dim] : [null, tokens, dim]);
  const perImage = tokens * dim;
  const given = imageEmbeds.data.length / perImage;
  const all = (embMask.dims[0] ?? 0) * (embMask.dims[1] ?? 0);
  if (given === all) {
    const used = pairing.images.map((image) => imageEmbeds.data.subarray(image * perImage, (image + 1) * perImage));
    return stackFloats(used, [used.length, tokens, dim]).data;
  }
  if (given === pairing.images.length) return imageEmbeds.data;
  throw new JanusError(
    "E_SHAPE",
    `fuse: image_embeds must hold ${all} images (as images_emb_mask does) or the ${pairing.images.length} it uses, got ${given}`,
    { origin: "input" },
  );
}
