import type { Tensor } from "../../tensor.js";
import { Calls } from "../calls.js";
import type { JanusModel } from "../janus.js";
import { Queue } from "../queue.js";

interface Encoded {
  /** pixel_values of one picture, bit by bit. */
  readonly pixels: Int32Array;
  /** image_embeds f32 [P,D]. */
  readonly embeds: Float32Array;
}

/**
 * image_embeds by pixel_values: a picture that was encoded lately is not encoded again.
 *
 * A picture is known by its pixels, all of them compared: not by the array that holds them, which a caller may fill with another, and not
 * by a hash, which reads them all as well and could be wrong. Copying and comparing a 384x384 picture takes about a millisecond, encoding
 * it seconds. What it costs is memory: of Janus-Pro-1B 6.5 MB a picture (1.8 of pixels, 4.7 of embeddings), of 7B 11.2 MB.
 */
export class EncodedImages {
  readonly #janus: Pick<JanusModel, "config" | "encode" | "project">;
  readonly #capacity: number;
  readonly #calls = new Calls();
  /** One picture at a time, so that whoever asks for one that is being encoded finds it. */
  readonly #queue = new Queue(this.#calls);
  /** Least lately used first. */
  #kept: Encoded[] = [];

  constructor(janus: Pick<JanusModel, "config" | "encode" | "project">, capacity: number) {
    this.#janus = janus;
    this.#capacity = capacity;
  }

  /** image_embeds [P,D] of pixel_values f32 [3,S,S], which must stay as they are: give a copy. The caller leaves the result as it is, too. */
  embedsOf(pixels: Float32Array<ArrayBuffer>, signal?: AbortSignal): Promise<Float32Array> {
    const bits = new Int32Array(pixels.buffer);
    return this.#queue.run(async (turn) => {
      const found = this.#kept.findLast((encoded) => isSame(encoded.pixels, bits));
      const encoded = found ?? { pixels: bits, embeds: await this.#encode(pixels, turn) };
      this.#keep(encoded);
      return encoded.embeds;
    }, signal);
  }

  /** Forgets all; what runs, waits or comes rejects with the reason. */
  end(reason: unknown): void {
    this.#calls.end(reason);
    this.#kept = [];
  }

  async #encode(pixels: Float32Array<ArrayBuffer>, signal: AbortSignal): Promise<Float32Array> {
    const { imageSize } = this.#janus.config;
    const pixelValues: Tensor<"float32"> = { type: "float32", dims: [1, 3, imageSize, imageSize], data: pixels };
    const features = await this.#janus.encode(pixelValues, { signal });
    return (await this.#janus.project(features, { signal })).data;
  }

  #keep(encoded: Encoded): void {
    const others = this.#kept.filter((other) => other !== encoded);
    this.#kept = [...others, encoded].slice(Math.max(0, others.length + 1 - this.#capacity));
  }
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
