import type { JanusConfig } from "../model/config.js";
import { pairSlots } from "../model/fusion.js";
import { checkSequence } from "../model/token-ids.js";
import type { Tensor } from "../tensor.js";
import { elements } from "../tensor.js";
import type { WeightSource } from "../weights/source.js";
import type { Engine } from "./engine.js";
import { checkFinite, checkFloats, splitFloats, stackFloats, zeroFloats } from "./floats.js";
import type { Host, ImageInput } from "./host.js";
import type { OpenModel } from "./load.js";
import type { LoadOptions } from "./options.js";
import type { EmbedRequest, Prepared } from "./prepare.js";
import { Preparer } from "./prepare.js";
import { Queue } from "./queue.js";
import type { Stages } from "./stages.js";
import { batchPixels, embedSequence, embedTokenIds, fuseRows, usedEmbeds } from "./stages.js";
import type { Runtime } from "./start.js";
import { startModel } from "./start.js";
import type { Timings } from "./timings.js";
import { newTimings, timed } from "./timings.js";

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
 * Calls queue in order, and read the arrays they are given when their turn comes: leave those alone until the promise settles. Every call takes an AbortSignal, rejects with its reason, and leaves the model usable. Returned arrays belong to the
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
      return stackFloats(pixels, [images.length, 3, size, size]);
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
      for (const pixels of splitFloats(pixelValues.data, elements(shape))) {
        features.push((await this.#engine.encode(pixels, false, signal)).features);
      }
      return stackFloats(features, [features.length, tokens, width]);
    }, options.signal);
  }

  /** image_embeds float32 [n,P,D] of image_features [n,P,W]. The aligner. */
  project(imageFeatures: Tensor<"float32">, options: CallOptions = {}): Promise<Tensor<"float32">> {
    return this.#queue.run(async (signal) => {
      const { tokens, width, dim } = this.config;
      checkFloats("project", "image_features", imageFeatures, [null, tokens, width]);
      checkFinite("project", "image_features", imageFeatures.data);
      const embeds: Float32Array[] = [];
      for (const features of splitFloats(imageFeatures.data, tokens * width)) {
        embeds.push(await this.#engine.project(features, signal));
      }
      return stackFloats(embeds, [embeds.length, tokens, dim]);
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
      const dims = [prepared.images.length, images, 3, size, size];
      const data = zeroFloats(dims);
      let index = 0;
      for (const [b, row] of prepared.images.entries()) {
        for (const [n, input] of row.entries()) {
          const pixels = await this.#pixels(input, index++, timings, signal);
          data.set(pixels, (b * images + n) * pixels.length);
        }
      }
      return { ...prepared, pixelValues: { type: "float32", dims, data } };
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
      const result = await embedSequence(
        this.#engine,
        this.#model,
        inputIds,
        pixels,
        pairing,
        timings,
        options.stages === true,
        signal,
      );
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
      const result = await embedSequence(
        this.#engine,
        this.#model,
        inputIds,
        pixels,
        pairing,
        timings,
        options.stages === true,
        signal,
      );
      timings.total = performance.now() - started;
      const stages = result.stages && {
        pixel_values: batchPixels(this.config.imageSize, pixels, pairing, imagesEmbMask.dims),
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
}
