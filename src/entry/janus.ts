import { JanusError } from "../errors.js";
import type { JanusConfig } from "../model/config.js";
import type { Pairing } from "../model/fusion.js";
import { pairSlots } from "../model/fusion.js";
import { checkSequence } from "../model/token-ids.js";
import type { Tensor } from "../tensor.js";
import { elements } from "../tensor.js";
import type { WeightSource } from "../weights/source.js";
import type { Engine } from "./engine.js";
import type { Host, ImageInput } from "./host.js";
import type { OpenModel } from "./load.js";
import type { LoadOptions } from "./options.js";
import type { EmbedRequest, Prepared } from "./prepare.js";
import { Preparer } from "./prepare.js";
import { Queue } from "./queue.js";
import { checkFinite, checkFloats, embedTokenIds, fuseRows, stack, zeros } from "./stages.js";
import type { Runtime } from "./start.js";
import { startModel } from "./start.js";

/** Milliseconds by stage. */
export interface Timings {
  decode: number;
  preprocess: number;
  text: number;
  encode: number;
  project: number;
  fuse: number;
  total: number;
}

/** What the reference's `prepare_inputs_embeds` takes. */
export interface ModelInputs {
  /** int64 [B,T] */
  readonly inputIds: Tensor<"int64">;
  /** float32 [B,N,3,S,S] */
  readonly pixelValues: Tensor<"float32">;
  /** bool [B,T] */
  readonly imagesSeqMask: Tensor<"bool">;
  /** bool [B,N,P] */
  readonly imagesEmbMask: Tensor<"bool">;
}

export interface FuseInputs {
  /** float32 [B,T,D] */
  readonly textEmbeds: Tensor<"float32">;
  /** float32 [B,N,P,D], [B*N,P,D], or [n,P,D] for the n images that imagesEmbMask uses. */
  readonly imageEmbeds: Tensor<"float32">;
  readonly imagesSeqMask: Tensor<"bool">;
  readonly imagesEmbMask: Tensor<"bool">;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Stages by the names of `embed --stages`. */
export type Stages = Readonly<Record<string, Tensor<"float32">>>;

export interface EmbedResult {
  /** float32 [B,T,D]: what the language model takes in place of ids. */
  readonly inputsEmbeds: Tensor<"float32">;
  /** int64 [B,T], 0 on the left padding. */
  readonly attentionMask: Tensor<"int64">;
  /** int64 [B,T] */
  readonly inputIds: Tensor<"int64">;
  /** bool [B,T] */
  readonly imagesSeqMask: Tensor<"bool">;
  /** bool [B,N,P] */
  readonly imagesEmbMask: Tensor<"bool">;
  readonly timings: Timings;
  /** Present when asked for. */
  readonly stages?: Stages;
}

/**
 * A loaded Janus: images and prompts in, `inputs_embeds` out.
 *
 * Calls queue in order. Every call takes an AbortSignal, rejects with its reason, and leaves the model usable. Returned arrays belong to the
 * caller. `dispose()` ends the workers; calls after it, and calls still queued, reject with E_DISPOSED.
 */
export class JanusModel {
  readonly #host: Host;
  readonly #model: OpenModel;
  readonly #engine: Engine;
  readonly #preparer: Preparer;
  readonly #queue = new Queue();
  readonly #close: () => Promise<void>;
  /** What runs, and why. */
  readonly runtime: Runtime;
  #disposing: Promise<void> | undefined;

  private constructor(host: Host, started: Awaited<ReturnType<typeof startModel>>) {
    this.#host = host;
    this.#model = started.model;
    this.#engine = started.engine;
    this.#close = started.close;
    this.#preparer = new Preparer(host, started.model);
    this.runtime = started.runtime;
  }

  /** Loads a checkpoint on `host`. Use `Janus.load` of an entry. */
  static async load(host: Host, model: string | WeightSource, options: LoadOptions = {}): Promise<JanusModel> {
    return new JanusModel(host, await startModel(host, model, options));
  }

  /** The checkpoint's configuration, frozen. */
  get config(): JanusConfig {
    return this.#model.config;
  }

  /** pixel_values float32 [n,3,S,S] of one picture or several. VLMImageProcessor.preprocess, byte for byte Pillow's pixels. */
  preprocess(image: ImageInput | readonly ImageInput[], options: CallOptions = {}): Promise<Tensor<"float32">> {
    const images: readonly ImageInput[] = Array.isArray(image) ? image : [image as ImageInput];
    return this.#queue.run(async (signal) => {
      const timings = newTimings();
      const pixels: Float32Array[] = [];
      for (const [at, input] of images.entries()) pixels.push(await this.#pixels(input, at, timings, signal));
      const size = this.config.imageSize;
      return stack("pixel_values", pixels, [images.length, 3, size, size]);
    }, options.signal);
  }

  /** image_features float32 [n,P,W] of pixel_values [n,3,S,S] or [B,N,3,S,S] (n = B*N). The vision tower. */
  encode(pixelValues: Tensor<"float32">, options: CallOptions = {}): Promise<Tensor<"float32">> {
    return this.#queue.run(async (signal) => {
      const { imageSize, tokens, width } = this.config;
      const five = pixelValues?.dims?.length === 5;
      const shape = [3, imageSize, imageSize];
      checkFloats("encode", "pixel_values", pixelValues, five ? [null, null, ...shape] : [null, ...shape]);
      checkFinite("encode", "pixel_values", pixelValues.data);
      const features: Float32Array[] = [];
      for (const pixels of split(pixelValues.data, elements(shape))) {
        features.push((await this.#engine.encode(pixels, false, signal)).features);
      }
      return stack("image_features", features, [features.length, tokens, width]);
    }, options.signal);
  }

  /** image_embeds float32 [n,P,D] of image_features [n,P,W]. The aligner. */
  project(imageFeatures: Tensor<"float32">, options: CallOptions = {}): Promise<Tensor<"float32">> {
    return this.#queue.run(async (signal) => {
      const { tokens, width, dim } = this.config;
      checkFloats("project", "image_features", imageFeatures, [null, tokens, width]);
      checkFinite("project", "image_features", imageFeatures.data);
      const embeds: Float32Array[] = [];
      for (const features of split(imageFeatures.data, tokens * width)) {
        embeds.push(await this.#engine.project(features, signal));
      }
      return stack("image_embeds", embeds, [embeds.length, tokens, dim]);
    }, options.signal);
  }

  /** text_embeds float32 [B,T,D] of input_ids int64 [B,T]; ids below zero read as 0. */
  embedTokens(inputIds: Tensor<"int64">, options: CallOptions = {}): Promise<Tensor<"float32">> {
    return this.#queue.run((signal) => embedTokenIds(this.#engine, this.#model, inputIds, signal), options.signal);
  }

  /**
   * inputs_embeds [B,T,D]: text rows with the image rows copied into their slots, row by row. Features that are not finite are E_NUMERIC
   * unless `allowNonFinite`.
   */
  fuse(
    inputs: FuseInputs,
    options: CallOptions & { readonly allowNonFinite?: boolean } = {},
  ): Promise<Tensor<"float32">> {
    return this.#queue.run(async (signal) => {
      const { dim } = this.config;
      const { textEmbeds, imageEmbeds, imagesSeqMask, imagesEmbMask } = inputs;
      // The rule of the masks holds for any number of tokens per image, also one that this tower does not make.
      const tokens = imagesEmbMask?.dims?.[2] ?? this.config.tokens;
      checkFloats("fuse", "text_embeds", textEmbeds, [null, null, dim]);
      const ids: Tensor<"int64"> = { type: "int64", dims: textEmbeds.dims.slice(0, 2), data: new BigInt64Array(0) };
      const pairing = pairSlots(ids, imagesSeqMask, imagesEmbMask, tokens);
      const embeds = usedEmbeds(imageEmbeds, imagesEmbMask, pairing, tokens, dim);
      if (!options.allowNonFinite) checkFinite("fuse", "image_embeds", embeds);
      return fuseRows(this.#engine, textEmbeds, embeds, pairing, tokens, signal);
    }, options.signal);
  }

  /** Renders, tokenizes, expands and batches requests, and preprocesses their images: what the reference's processor returns. */
  prepare(
    requests: EmbedRequest | readonly EmbedRequest[],
    options: CallOptions = {},
  ): Promise<Prepared & ModelInputs> {
    return this.#queue.run(async (signal) => {
      const timings = newTimings();
      const prepared = await this.#preparer.prepare(requests, signal);
      const [, images = 1] = prepared.imagesEmbMask.dims;
      const size = this.config.imageSize;
      const pixelValues = zeros("pixel_values", [prepared.images.length, images, 3, size, size]);
      let index = 0;
      for (const [b, row] of prepared.images.entries()) {
        for (const [n, input] of row.entries()) {
          const pixels = await this.#pixels(input, index++, timings, signal);
          pixelValues.data.set(pixels, (b * images + n) * pixels.length);
        }
      }
      return { ...prepared, pixelValues };
    }, options.signal);
  }

  /** The reference's function, same semantics and shapes; images that no row uses are not computed. */
  prepareInputsEmbeds(
    inputs: ModelInputs,
    options: CallOptions & { readonly stages?: boolean } = {},
  ): Promise<{ readonly inputsEmbeds: Tensor<"float32">; readonly stages?: Stages; readonly timings: Timings }> {
    return this.#queue.run(async (signal) => {
      const started = performance.now();
      const timings = newTimings();
      const { inputIds, pixelValues, imagesSeqMask, imagesEmbMask } = inputs;
      const { imageSize, tokens, vocabRows, maxPositions } = this.config;
      checkSequence(inputIds, vocabRows, maxPositions);
      const pairing = pairSlots(inputIds, imagesSeqMask, imagesEmbMask, tokens);
      const perImage = 3 * imageSize ** 2;
      if (pairing.images.length > 0) {
        const [batch = 0, images = 0] = imagesEmbMask.dims;
        const shape = [batch, images, 3, imageSize, imageSize];
        checkFloats("prepareInputsEmbeds", "pixel_values", pixelValues, shape);
      }
      const pixels = pairing.images.map((image) => pixelValues.data.subarray(image * perImage, (image + 1) * perImage));
      for (const image of pixels) checkFinite("prepareInputsEmbeds", "pixel_values", image);
      const result = await this.#run(inputIds, pixels, pairing, timings, options.stages === true, signal);
      timings.total = performance.now() - started;
      return {
        inputsEmbeds: result.inputsEmbeds,
        timings,
        ...(result.stages && { stages: { pixel_values: pixelValues, ...result.stages } }),
      };
    }, options.signal);
  }

  /** All of it: requests with images to `inputs_embeds`. A list becomes one left-padded batch. */
  embed(
    requests: EmbedRequest | readonly EmbedRequest[],
    options: CallOptions & { readonly stages?: boolean } = {},
  ): Promise<EmbedResult> {
    return this.#queue.run(async (signal) => {
      const started = performance.now();
      const timings = newTimings();
      const { inputIds, attentionMask, imagesSeqMask, imagesEmbMask, images } = await timed(timings, "text", () =>
        this.#preparer.prepare(requests, signal),
      );
      const pairing = pairSlots(inputIds, imagesSeqMask, imagesEmbMask, this.config.tokens);
      const pixels: Float32Array[] = [];
      for (const [index, input] of images.flat().entries()) {
        pixels.push(await this.#pixels(input, index, timings, signal));
      }
      const result = await this.#run(inputIds, pixels, pairing, timings, options.stages === true, signal);
      timings.total = performance.now() - started;
      const stages = result.stages && {
        pixel_values: this.#batchPixels(pixels, pairing, imagesEmbMask.dims),
        ...result.stages,
      };
      const { inputsEmbeds } = result;
      return {
        inputsEmbeds,
        attentionMask,
        inputIds,
        imagesSeqMask,
        imagesEmbMask,
        timings,
        ...(stages && { stages }),
      };
    }, options.signal);
  }

  /** Ends the workers and closes the files. What runs or is queued rejects with E_DISPOSED, at once. */
  dispose(): Promise<void> {
    this.#disposing ??= (async () => {
      this.#queue.close();
      await this.#engine.dispose();
      await this.#queue.idle();
      await this.#preparer.dispose();
      await this.#close();
    })();
    return this.#disposing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #pixels(input: ImageInput, index: number, timings: Timings, signal: AbortSignal): Promise<Float32Array> {
    const picture = await timed(timings, "decode", () => this.#host.decode(input, index, signal));
    return timed(timings, "preprocess", () => this.#engine.preprocess(picture, signal));
  }

  /** Encodes, projects, embeds and fuses; `pixels` are those of `pairing.images`, in order. */
  async #run(
    inputIds: Tensor<"int64">,
    pixels: readonly Float32Array[],
    pairing: Pairing,
    timings: Timings,
    taps: boolean,
    signal: AbortSignal,
  ): Promise<{ inputsEmbeds: Tensor<"float32">; stages?: Stages }> {
    const { tokens, width, dim, blocks } = this.config;
    const features: Float32Array[] = [];
    const embeds: Float32Array[] = [];
    const tapped = new Map<string, Float32Array[]>();
    if (taps) for (const stage of stageNames(blocks)) tapped.set(stage, []);
    for (const image of pixels) {
      const encoded = await timed(timings, "encode", () => this.#engine.encode(image, taps, signal));
      for (const [stage, data] of encoded.stages) tapped.get(stage)?.push(data);
      embeds.push(await timed(timings, "project", () => this.#engine.project(encoded.features, signal)));
      if (taps) features.push(encoded.features);
    }
    const imageEmbeds = stack("image_embeds", embeds, [embeds.length, tokens, dim]);
    return timed(timings, "fuse", async () => {
      const text = await embedTokenIds(this.#engine, this.#model, inputIds, signal);
      const inputsEmbeds = await fuseRows(this.#engine, text, imageEmbeds.data, pairing, tokens, signal);
      if (!taps) return { inputsEmbeds };
      const stages: Record<string, Tensor<"float32">> = {};
      for (const [stage, data] of tapped) stages[stage] = stack(stage, data, [data.length, tokens, width]);
      stages["image_features"] = stack("image_features", features, [features.length, tokens, width]);
      stages["image_embeds"] = imageEmbeds;
      stages["text_embeds"] = text;
      return { inputsEmbeds, stages };
    });
  }

  /** pixel_values [B,N,3,S,S] as the reference's processor batches them: zeros where a row has fewer images. */
  #batchPixels(pixels: readonly Float32Array[], pairing: Pairing, maskDims: readonly number[]): Tensor<"float32"> {
    const size = this.config.imageSize;
    const batch = zeros("pixel_values", [maskDims[0] ?? 0, maskDims[1] ?? 0, 3, size, size]);
    for (const [at, image] of pairing.images.entries()) {
      const source = pixels[at];
      if (source) batch.data.set(source, image * source.length);
    }
    return batch;
  }
}

/** Names of the tapped stages, in order. */
function stageNames(blocks: number): string[] {
  return ["vision.patch_embed", ...Array.from({ length: blocks }, (_, n) => `vision.block.${n}`)];
}

function newTimings(): Timings {
  return { decode: 0, preprocess: 0, text: 0, encode: 0, project: 0, fuse: 0, total: 0 };
}

async function timed<T>(timings: Timings, stage: keyof Timings, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    timings[stage] += performance.now() - started;
  }
}

function* split(data: Float32Array, length: number): Generator<Float32Array> {
  for (let at = 0; at < data.length; at += length) yield data.subarray(at, at + length);
}

/** The embeddings [n,P,D] of the images a pairing uses, from either form the caller may have them in. */
function usedEmbeds(
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
    return stack("image_embeds", used, [used.length, tokens, dim]).data;
  }
  if (given === pairing.images.length) return imageEmbeds.data;
  throw new JanusError(
    "E_SHAPE",
    `fuse: image_embeds must hold ${all} images (as images_emb_mask does) or the ${pairing.images.length} it uses, got ${given}`,
    { origin: "input" },
  );
}
