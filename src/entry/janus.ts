import type { RgbImage } from "../image/pixels.js";
import type { JanusConfig } from "../model/config.js";
import type { Pairing } from "../model/fusion.js";
import { pairSlots } from "../model/fusion.js";
import { checkSequence } from "../model/token-ids.js";
import type { Tensor } from "../tensor.js";
import { elements } from "../tensor.js";
import type { Items } from "./ahead.js";
import { ahead, checkItems } from "./ahead.js";
import type { Engine, TowerImage } from "./engine.js";
import { checkFinite, checkFloats, splitFloats, stackFloats, zeroFloats } from "./floats.js";
import type { Host, ImageInput, ModelInput } from "./host.js";
import type { OpenModel } from "./load.js";
import type { LoadOptions } from "./options.js";
import { Pictures } from "./pictures.js";
import type { EmbedRequest, Prepared } from "./prepare.js";
import { Preparer } from "./prepare.js";
import { Schedule } from "./schedule.js";
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

/** One picture of a stream. */
export interface EncodeResult {
  /** float32 [1,P,W]: the vision tower's. */
  readonly imageFeatures: Tensor<"float32">;
  /** float32 [1,P,D]: the aligner's. */
  readonly imageEmbeds: Tensor<"float32">;
  readonly timings: Timings;
}

/** Requests whose text is ready, and the first picture as far as it came. */
interface Readied {
  readonly prepared: Prepared;
  readonly pairing: Pairing;
  readonly first: RgbImage | undefined;
  readonly timings: Timings;
}

/**
 * A loaded Janus: images and prompts in, `inputs_embeds` out.
 *
 * Calls queue in order, and read the arrays they are given when their turn comes: leave those alone until the promise settles. Every call takes an AbortSignal, rejects with its reason, and leaves the model usable. Returned arrays belong to the
 * caller. `dispose()` ends the workers; calls after it, and calls still queued, reject with E_DISPOSED.
 *
 * Of several pictures, in one call or in a stream, each is decoded and preprocessed while the one before is computed: one ahead, never more.
 */
export class JanusModel {
  readonly #model: OpenModel;
  readonly #engine: Engine;
  readonly #preparer: Preparer;
  readonly #pictures: Pictures;
  readonly #schedule = new Schedule();
  readonly #close: () => Promise<void>;
  /** What runs, and why. */
  readonly runtime: Runtime;
  #disposing: Promise<void> | undefined;

  private constructor(host: Host, started: Awaited<ReturnType<typeof startModel>>) {
    this.#model = started.model;
    this.#engine = started.engine;
    this.#close = started.close;
    this.#preparer = new Preparer(host, started.model);
    this.#pictures = new Pictures(host, started.engine, started.model.config, started.sparing);
    this.runtime = started.runtime;
  }

  /** Loads a checkpoint on `host`. Use `Janus.load` of an entry. */
  static async load(host: Host, model: ModelInput, options: LoadOptions = {}): Promise<JanusModel> {
    return new JanusModel(host, await startModel(host, model, options));
  }

  /** The checkpoint's configuration, frozen. */
  get config(): JanusConfig {
    return this.#model.config;
  }

  /** pixel_values float32 [n,3,S,S] of one picture or several. VLMImageProcessor.preprocess, byte for byte Pillow's pixels. */
  preprocess(image: ImageInput | readonly ImageInput[], options: CallOptions = {}): Promise<Tensor<"float32">> {
    const images: readonly ImageInput[] = Array.isArray(image) ? image : [image as ImageInput];
    return this.#schedule.run(async (call) => {
      const pixels: Float32Array[] = [];
      for await (const one of this.#pixelsAlone(images, call)) pixels.push(one);
      const size = this.config.imageSize;
      return stackFloats(pixels, [images.length, 3, size, size]);
    }, options.signal);
  }

  /** image_features float32 [n,P,W] of pixel_values [n,3,S,S] or [B,N,3,S,S] (n = B*N). The vision tower. */
  encode(pixelValues: Tensor<"float32">, options: CallOptions = {}): Promise<Tensor<"float32">> {
    return this.#schedule.run(async ({ signal }) => {
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
    return this.#schedule.run(async ({ signal }) => {
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
    return this.#schedule.run(
      ({ signal }) => embedTokenIds(this.#engine, this.#model, inputIds, signal),
      options.signal,
    );
  }

  /**
   * inputs_embeds [B,T,D]: text rows with the image rows copied into their slots, row by row. Features that are not finite are E_NUMERIC
   * unless `allowNonFinite`.
   */
  fuse(
    inputs: FuseInputs,
    options: CallOptions & { readonly allowNonFinite?: boolean } = {},
  ): Promise<Tensor<"float32">> {
    return this.#schedule.run(async ({ signal }) => {
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
    return this.#schedule.run(async (call) => {
      const prepared = await this.#preparer.prepare(requests, call.signal);
      const [, images = 1] = prepared.imagesEmbMask.dims;
      const size = this.config.imageSize;
      const dims = [prepared.images.length, images, 3, size, size];
      const data = zeroFloats(dims);
      const places = prepared.images.flatMap((row, b) => row.map((_, n) => b * images + n));
      let index = 0;
      for await (const pixels of this.#pixelsAlone(prepared.images.flat(), call)) {
        data.set(pixels, (places[index++] ?? 0) * pixels.length);
      }
      return { ...prepared, pixelValues: { type: "float32", dims, data } };
    }, options.signal);
  }

  /** The reference's function, same semantics and shapes; images that no row uses are not computed. */
  prepareInputsEmbeds(
    inputs: ModelInputs,
    options: CallOptions & { readonly stages?: boolean } = {},
  ): Promise<{ readonly inputsEmbeds: Tensor<"float32">; readonly stages?: Stages; readonly timings: Timings }> {
    return this.#schedule.run(async ({ signal }) => {
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
    return this.#schedule.run(async (call) => {
      const readied = await this.#readText(requests, call.signal);
      return this.#embedReadied(readied, options.stages === true, call);
    }, options.signal);
  }

  /**
   * `embed` of each item of a stream, in order: `for await (const out of janus.embedStream(requests))`. While one is computed, the next is
   * taken from `requests`, its text tokenized and its first picture made ready; nothing further, and nothing is computed before it is
   * asked for.
   *
   * An error is thrown in its item's place and ends the stream; leaving the loop tells `requests` to return. Other calls may come between
   * two items. `timings.total` is what an item took, without waiting for its turn.
   */
  embedStream(
    requests: Items<EmbedRequest | readonly EmbedRequest[]>,
    options: CallOptions & { readonly stages?: boolean } = {},
  ): AsyncGenerator<EmbedResult, void, undefined> {
    type Item = EmbedRequest | readonly EmbedRequest[];
    const make = async (item: Item, _: number, signal: AbortSignal): Promise<Readied> => {
      const readied = await this.#readText(item, signal);
      const { prepared, timings } = readied;
      const [input] = prepared.images.flat();
      if (input === undefined) return readied;
      const first = await timed(timings, "total", () => this.#pictures.ahead(input, 0, timings, signal));
      return { ...readied, first };
    };
    const compute = (readied: Readied, call: AbortController, last: () => void): Promise<EmbedResult> =>
      this.#embedReadied(readied, options.stages === true, call, last);
    return this.#schedule.stream(checkItems("embedStream", "requests", requests), make, compute, options.signal);
  }

  /** image_features and image_embeds of each picture of a stream, in order; otherwise as `embedStream`. */
  encodeStream(images: Items<ImageInput>, options: CallOptions = {}): AsyncGenerator<EncodeResult, void, undefined> {
    type Made = { readonly picture: RgbImage; readonly timings: Timings };
    const make = async (input: ImageInput, index: number, signal: AbortSignal): Promise<Made> => {
      const timings = newTimings();
      const begin = (): Promise<RgbImage> => this.#pictures.ahead(input, index, timings, signal);
      return { picture: await timed(timings, "total", begin), timings };
    };
    const compute = (
      { picture, timings }: Made,
      { signal }: AbortController,
      last: () => void,
    ): Promise<EncodeResult> =>
      timed(timings, "total", async () => {
        last();
        const { tokens, width, dim } = this.config;
        const square = await this.#pictures.square(picture, timings, signal);
        const { features } = await timed(timings, "encode", () => this.#engine.encode(square, false, signal));
        const embeds = await timed(timings, "project", () => this.#engine.project(features, signal));
        return {
          imageFeatures: { type: "float32", dims: [1, tokens, width], data: features },
          imageEmbeds: { type: "float32", dims: [1, tokens, dim], data: embeds },
          timings,
        };
      });
    return this.#schedule.stream(checkItems("encodeStream", "images", images), make, compute, options.signal);
  }

  /** Ends the workers and closes the files. What runs or is queued rejects with E_DISPOSED, at once. */
  dispose(): Promise<void> {
    this.#disposing ??= (async () => {
      this.#schedule.close();
      await this.#engine.dispose();
      await this.#schedule.idle();
      await this.#pictures.dispose();
      await this.#preparer.dispose();
      await this.#close();
    })();
    return this.#disposing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #readText(requests: EmbedRequest | readonly EmbedRequest[], signal: AbortSignal): Promise<Readied> {
    const timings = newTimings();
    return timed(timings, "total", async () => {
      const prepared = await timed(timings, "text", () => this.#preparer.prepare(requests, signal));
      const { inputIds, imagesSeqMask, imagesEmbMask } = prepared;
      const pairing = pairSlots(inputIds, imagesSeqMask, imagesEmbMask, this.config.tokens);
      return { prepared, pairing, first: undefined, timings };
    });
  }

  /** `last` is called when the last picture is taken. */
  async #embedReadied(
    readied: Readied,
    taps: boolean,
    call: AbortController,
    last: () => void = () => {},
  ): Promise<EmbedResult> {
    const { prepared, pairing, first, timings } = readied;
    const { inputIds, attentionMask, imagesSeqMask, imagesEmbMask } = prepared;
    const { signal } = call;
    const make = (input: ImageInput, index: number): Promise<RgbImage> | RgbImage => {
      if (index === 0 && first) return first;
      return this.#schedule.beside((turn) => this.#pictures.ahead(input, index, timings, turn), signal);
    };
    return timed(timings, "total", async () => {
      const kept: Float32Array[] = [];
      const finish = async (picture: RgbImage): Promise<TowerImage> => {
        if (!taps) return this.#pictures.square(picture, timings, signal);
        const pixels = await this.#pictures.pixels(picture, timings, signal);
        kept.push(pixels);
        return pixels;
      };
      const images = this.#inTurn(prepared.images.flat(), make, finish, call, last);
      const { inputsEmbeds, stages } = await embedSequence(
        this.#engine,
        this.#model,
        inputIds,
        images,
        pairing,
        timings,
        taps,
        signal,
      );
      const masks = { attentionMask, inputIds, imagesSeqMask, imagesEmbMask };
      if (!stages) return { inputsEmbeds, ...masks, timings };
      const pixelValues = batchPixels(this.config.imageSize, kept, pairing, imagesEmbMask.dims);
      return { inputsEmbeds, ...masks, timings, stages: { pixel_values: pixelValues, ...stages } };
    });
  }

  /** Each picture finished, when it is asked for, while the next is being made. `last` is called when the last one is taken. */
  async *#inTurn<Finished>(
    images: readonly ImageInput[],
    make: (input: ImageInput, index: number) => Promise<RgbImage> | RgbImage,
    finish: (picture: RgbImage) => Promise<Finished>,
    call: AbortController,
    last: () => void = () => {},
  ): AsyncGenerator<Finished, void, undefined> {
    let left = images.length;
    if (left === 0) last();
    for await (const picture of ahead(images, make, call)) {
      if (--left === 0) last();
      yield await finish(picture);
    }
  }

  /** pixel_values of each picture, when it is asked for, made by the compute workers, which have nothing else to do; the next is decoded meanwhile. */
  #pixelsAlone(images: readonly ImageInput[], call: AbortController): AsyncGenerator<Float32Array, void, undefined> {
    const timings = newTimings();
    const make = (input: ImageInput, index: number): Promise<RgbImage> =>
      this.#pictures.decode(input, index, timings, call.signal);
    const finish = (picture: RgbImage): Promise<Float32Array> => this.#pictures.pixels(picture, timings, call.signal);
    return this.#inTurn(images, make, finish, call);
  }
}
