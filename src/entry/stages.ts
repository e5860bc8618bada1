import { JanusError } from "../errors.js";
import { readTableRows } from "../model/embedding.js";
import type { Pairing } from "../model/fusion.js";
import { distinctRows, tokenRows } from "../model/token-ids.js";
import type { Tensor } from "../tensor.js";
import { elements, shapeText } from "../tensor.js";
import { STORAGE_BYTES } from "../wasm/abi.js";
import type { Engine } from "./engine.js";
import type { OpenModel } from "./load.js";
import { STORAGE_OF } from "./weights.js";

/** Rows of a sequence that are embedded and fused at a time: bounds what the workers' memory grows by. */
const CHUNK_ROWS = 1024;

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
  const embedded = zeros("text_embeds", [...inputIds.dims, dim]);
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
    embedded.data.set(embeds, begin * dim);
  }
  return embedded;
}

/** inputs_embeds: the text rows with feature `pairing.features[k]` copied to slot `pairing.slots[k]`, byte for byte. */
export async function fuseRows(
  engine: Engine,
  text: Tensor<"float32">,
  /** f32 [n,P,D] of the images in `pairing.images`, in that order. */
  imageEmbeds: Float32Array,
  pairing: Pairing,
  tokens: number,
  signal?: AbortSignal,
): Promise<Tensor<"float32">> {
  const dim = text.dims.at(-1) ?? 0;
  const place = new Map(pairing.images.map((image, at) => [image, at]));
  const fused = zeros("inputs_embeds", [...text.dims]);
  const { data } = fused;
  data.set(text.data);
  const total = data.length / dim;
  let pair = 0;
  for (let begin = 0; begin < total; begin += CHUNK_ROWS) {
    const end = Math.min(begin + CHUNK_ROWS, total);
    const first = pair;
    while (pair < pairing.slots.length && (pairing.slots[pair] ?? 0) < end) pair++;
    const sources = pair - first;
    if (sources === 0) continue;
    const source = new Float32Array(sources * dim);
    for (let k = 0; k < sources; k++) {
      const feature = pairing.features[first + k] ?? 0;
      const row = (place.get(Math.floor(feature / tokens)) ?? 0) * tokens + (feature % tokens);
      source.set(imageEmbeds.subarray(row * dim, (row + 1) * dim), k * dim);
    }
    const index = pairing.slots.slice(first, pair).map((slot) => slot - begin);
    const rows = end - begin;
    const own = { text: data.slice(begin * dim, end * dim), source, index };
    data.set(await engine.fuse({ rows, sources }, own, signal), begin * dim);
  }
  return fused;
}

/** A tensor of zeros. What the host cannot hold is E_OOM, where it would be a RangeError without a name. */
export function zeros(name: string, dims: readonly number[]): Tensor<"float32"> {
  const count = elements(dims);
  try {
    if (Number.isNaN(count)) throw new RangeError("not a length");
    return { type: "float32", dims, data: new Float32Array(count) };
  } catch (cause) {
    throw new JanusError(
      "E_OOM",
      `allocating ${name}: expected memory for float32 ${shapeText(dims)}, found too little; give fewer or shorter requests at once`,
      { cause },
    );
  }
}

/** Parts one after another as one tensor. */
export function stack(name: string, parts: readonly Float32Array[], dims: readonly number[]): Tensor<"float32"> {
  const stacked = zeros(name, dims);
  let at = 0;
  for (const part of parts) {
    stacked.data.set(part, at);
    at += part.length;
  }
  return stacked;
}

/** E_SHAPE (of an input) unless `tensor` is float32 with dims that match `expected`; a null dim matches anything. */
export function checkFloats(
  operation: string,
  name: string,
  tensor: Tensor<"float32">,
  expected: readonly (number | null)[],
): void {
  const dims = tensor?.dims ?? [];
  const fits = dims.length === expected.length && expected.every((d, at) => d === null || d === dims[at]);
  const whole =
    tensor?.type === "float32" && tensor.data instanceof Float32Array && tensor.data.length === elements(dims);
  if (fits && whole) return;
  const wanted = shapeText(expected.map((d) => d ?? Number.NaN)).replaceAll("NaN", "*");
  const got = fits ? `${tensor?.type} data of ${tensor?.data?.length} elements` : `${tensor?.type} ${shapeText(dims)}`;
  throw new JanusError("E_SHAPE", `${operation}: ${name} must be float32 ${wanted}, got ${got}`, { origin: "input" });
}

/** E_NUMERIC when `data` holds NaN or infinity: a wrong pixel or feature would spread over the whole sequence. */
export function checkFinite(operation: string, name: string, data: Float32Array): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new JanusError("E_NUMERIC", `${operation}: ${name} must be finite, got ${data[at]} at index ${at}`);
}
