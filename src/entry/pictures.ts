import type { RgbImage } from "../image/pixels.js";
import type { JanusConfig } from "../model/config.js";
import type { Engine } from "./engine.js";
import type { Host, ImageInput } from "./host.js";
import type { PictureWorker } from "./picture-worker.js";
import { startPictureWorker } from "./picture-worker.js";
import type { Timings } from "./timings.js";
import { timed } from "./timings.js";

type Floats = Float32Array<ArrayBuffer>;

/**
 * The way of pictures to the tower: decoding by the host, then resizing and padding to its S x S, by whichever workers are free. A picture of
 * that size has arrived. Where pixel_values are asked for, the compute workers make them. Adds to `timings`.
 */
export class Pictures {
  readonly #host: Host;
  readonly #engine: Engine;
  readonly #config: JanusConfig;
  readonly #sparing: boolean;
  #worker: Promise<PictureWorker> | undefined;

  /** `sparing`: a worker of its own, which has a memory of its own, is not started. */
  constructor(host: Host, engine: Engine, config: JanusConfig, sparing = false) {
    this.#host = host;
    this.#engine = engine;
    this.#config = config;
    this.#sparing = sparing;
  }

  /** Decodes; `index` names the picture in errors when it has no path. */
  decode(input: ImageInput, index: number, timings: Timings, signal: AbortSignal): Promise<RgbImage> {
    return timed(timings, "decode", () => this.#host.decode(input, index, signal));
  }

  /**
   * Decodes, and while the compute workers are busy makes a square on a worker of its own, which the first such picture starts. Compute workers
   * that wait for the picture share the work among them instead, and a host that grants one thread would only take turns. One call at a time.
   */
  async ahead(input: ImageInput, index: number, timings: Timings, signal: AbortSignal): Promise<RgbImage> {
    const picture = await this.decode(input, index, timings, signal);
    if (this.#isSquare(picture) || !this.#engine.busy || this.#sparing || this.#host.availableThreads() === 1)
      return picture;
    return timed(timings, "preprocess", async () => (await this.#started()).square(picture, signal));
  }

  /** The picture of S x S: what is left to do, the compute workers do. The data of `picture` is given away. */
  async square(picture: RgbImage, timings: Timings, signal: AbortSignal): Promise<RgbImage> {
    if (this.#isSquare(picture)) return picture;
    return timed(timings, "preprocess", () => this.#engine.square(picture, signal));
  }

  /** pixel_values f32 [3,S,S] of a picture, square or not, whose data is given away. */
  pixels(picture: RgbImage, timings: Timings, signal: AbortSignal): Promise<Floats> {
    return timed(timings, "preprocess", () => this.#engine.preprocess(picture, signal));
  }

  /** Ends the worker; only when no call is under way. */
  async dispose(): Promise<void> {
    const worker = await this.#worker?.catch(() => undefined);
    await worker?.dispose();
  }

  #isSquare({ width, height }: RgbImage): boolean {
    const { imageSize } = this.#config;
    return width === imageSize && height === imageSize;
  }

  #started(): Promise<PictureWorker> {
    this.#worker ??= startPictureWorker(this.#host, this.#config).catch((error: unknown) => {
      this.#worker = undefined;
      throw error;
    });
    return this.#worker;
  }
}
