import { JanusError, quote } from "../../errors.js";
import { pairSlots } from "../../model/fusion.js";
import { checkSequence } from "../../model/token-ids.js";
import type { Tensor } from "../../tensor.js";
import { elements } from "../../tensor.js";
import { checkFloats, stackFloats } from "../floats.js";
import type { CallOptions, JanusModel, ModelInputs } from "../janus.js";
import { EncodedImages } from "./encoded-images.js";
import type { Feeds } from "./feeds.js";
import { INPUT_NAMES, readFeeds } from "./feeds.js";

/** What is used of a loaded `Janus`. */
export type EmbeddingModel = Pick<JanusModel, "config" | "encode" | "project" | "embedTokens" | "fuse">;

/** transformers.js' own `Tensor`. */
export type TensorClass<T extends object> = new (type: "float32", data: Float32Array, dims: number[]) => T;

export interface PrepareInputsEmbedsOptions<T extends object> {
  /** The `Tensor` of the transformers.js that the model is of: it takes only its own, and hands none of them to a session. */
  readonly Tensor: TensorClass<T>;
  /** Pictures whose embeddings are kept, the latest; 0 keeps none. The default is 8, one more than the 4096 positions that Janus was trained on hold. */
  readonly cachedImages?: number;
}

const CACHED_IMAGES = 8;

/**
 * The `prepare_inputs_embeds` session of transformers.js' MultiModalityCausalLM, computed by a loaded Janus:
 * `model.sessions.prepare_inputs_embeds = new PrepareInputsEmbedsSession(janus, { Tensor })`.
 *
 * Inputs, output and their names are those of the ONNX export. So are the calls that transformers.js makes without a picture, for text
 * alone and for every further token (pixel_values [0,0,3,384,384], masks of any shape without a true element), and ids doubled for
 * guidance. A picture is encoded once, however many calls and prompts it is in (`EncodedImages`).
 *
 * The model that computes stays its caller's: `release` does not dispose of it.
 */
export class PrepareInputsEmbedsSession<T extends object> {
  readonly inputNames: readonly string[] = INPUT_NAMES;
  readonly outputNames: readonly string[] = ["inputs_embeds"];
  readonly #janus: EmbeddingModel;
  readonly #Tensor: TensorClass<T>;
  readonly #images: EncodedImages;
  #released: JanusError | undefined;

  /** @throws JanusError E_USAGE */
  constructor(janus: EmbeddingModel, options: PrepareInputsEmbedsOptions<T>) {
    const { Tensor, cachedImages = CACHED_IMAGES } = options ?? {};
    if (typeof Tensor !== "function") throw usage("Tensor", "the Tensor class of @huggingface/transformers", Tensor);
    if (!Number.isSafeInteger(cachedImages) || cachedImages < 0) {
      throw usage("cachedImages", "a whole number of at least 0", cachedImages);
    }
    this.#janus = janus;
    this.#Tensor = Tensor;
    this.#images = new EncodedImages(janus, cachedImages);
  }

  /**
   * inputs_embeds float32 [B,T,D] of input_ids int64 [B,T], pixel_values float32 [B,N,3,S,S], images_seq_mask bool [B,T] and
   * images_emb_mask bool [B,N,P]; modeling_vlm.py prepare_inputs_embeds. Reads the feeds before it returns its promise.
   *
   * @throws JanusError E_PROMPT, E_SHAPE or E_NUMERIC of the inputs, E_DISPOSED after `release` or when the model is; the signal's reason.
   */
  async run(feeds: Feeds, { signal }: CallOptions = {}): Promise<{ inputs_embeds: T }> {
    if (this.#released) throw this.#released;
    const { data, dims } = await this.#embed(readFeeds(feeds), signal);
    return { inputs_embeds: plainly(new this.#Tensor("float32", data, [...dims])) };
  }

  /**
   * Forgets the pictures; what waits for one, and every later `run`, rejects with E_DISPOSED. transformers.js calls it when its model is
   * disposed of.
   */
  async release(): Promise<void> {
    this.#released ??= new JanusError("E_DISPOSED", "prepare_inputs_embeds: this session was released; make another");
    this.#images.end(this.#released);
  }

  async #embed(inputs: ModelInputs, signal: AbortSignal | undefined): Promise<Tensor<"float32">> {
    const { imageSize, tokens, dim, vocabRows, maxPositions } = this.#janus.config;
    const { pixelValues } = inputs;
    checkSequence(inputs.inputIds, vocabRows, maxPositions);
    const { images } = pairSlots(inputs.inputIds, inputs.imagesSeqMask, inputs.imagesEmbMask, tokens);
    const inputIds = snapshot(inputs.inputIds);
    const options = signal ? { signal } : {};
    if (images.length === 0) return this.#janus.embedTokens(inputIds, options);

    const masks = { imagesSeqMask: snapshot(inputs.imagesSeqMask), imagesEmbMask: snapshot(inputs.imagesEmbMask) };
    const [batch = 0, count = 0] = masks.imagesEmbMask.dims;
    const shape = [3, imageSize, imageSize];
    checkFloats("prepare_inputs_embeds", "pixel_values", pixelValues, [batch, count, ...shape]);
    const perImage = elements(shape);
    const pictures = images.map((image) => pixelValues.data.slice(image * perImage, (image + 1) * perImage));
    const embeds: Float32Array[] = [];
    for (const pixels of pictures) embeds.push(await this.#images.embedsOf(pixels, signal));
    const textEmbeds = await this.#janus.embedTokens(inputIds, options);
    const imageEmbeds = stackFloats(embeds, [embeds.length, tokens, dim]);
    return this.#janus.fuse({ textEmbeds, imageEmbeds, ...masks }, options);
  }
}

/** What a caller may change while the call waits for its turn is taken when it is called. */
function snapshot<T extends "int64" | "bool">(tensor: Tensor<T>): Tensor<T> {
  return { ...tensor, data: tensor.data.slice() as Tensor<T>["data"] };
}

/**
 * transformers.js looks through all that a session returned for tensors of onnxruntime, to put its own around them: also inside of its own,
 * where it puts one around another (the build for `require`, and browsers) or walks over the elements by name, 0.3 s for those of a prompt
 * of Janus-Pro-1B with a picture (the build for `import`). So what its tensor holds is not enumerated.
 */
function plainly<T extends object>(tensor: T): T {
  if ("ort_tensor" in tensor) Object.defineProperty(tensor, "ort_tensor", { enumerable: false });
  return tensor;
}

function usage(option: string, expected: string, got: unknown): JanusError {
  return new JanusError("E_USAGE", `prepare_inputs_embeds: ${option} must be ${expected}, got ${quote(got)}`, {
    origin: "usage",
  });
}
