/**
 * Frames between the decoder and its child process, the same in both directions: four little-endian u32 (kind, width, height,
 * payload length), then the payload.
 *
 * Pixels travel over plain pipes rather than over Node's own IPC channel: that would serialise 200 MB, gather it in chunks, join
 * the chunks and copy the pixels out again. Here the receiver allocates the payload once, after the header has been checked against
 * a limit, and the chunks are copied into place; a child that has been taken over can at worst send wrong pixels.
 */
export const FRAME = {
  /** To the child: the bytes of one picture; width and height are 0. */
  picture: 1,
  /** From the child: packed RGB. */
  pixels: 2,
  /** From the child: UTF-8, why this picture cannot be decoded. */
  refused: 3,
  /** From the child: UTF-8, why no picture can be decoded. */
  unusable: 4,
} as const;

export interface Frame {
  readonly kind: number;
  readonly width: number;
  readonly height: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** The child's descriptor for replies: not stdout, which native libraries print to. */
export const REPLY_DESCRIPTOR = 3;

export { PICTURE_BYTES_MAX } from "../../image/pixels.js";

/** libvips gives up a picture after so long; the slowest valid one of PIXELS_MAX takes a few seconds. */
export const DECODE_SECONDS = 30;

const HEADER_BYTES = 16;

/** The header of a frame whose payload follows. */
export function frameHeader(kind: number, width: number, height: number, payloadBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  for (const [i, field] of [kind, width, height, payloadBytes].entries()) header.setUint32(i * 4, field, true);
  return new Uint8Array(header.buffer);
}

/** Puts frames together from the chunks of a stream. */
export class FrameReader {
  readonly #payloadMax: number;
  readonly #onFrame: (frame: Frame) => void;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  #payload: Uint8Array<ArrayBuffer> | undefined;
  #payloadFilled = 0;

  constructor(payloadMax: number, onFrame: (frame: Frame) => void) {
    this.#payloadMax = payloadMax;
    this.#onFrame = onFrame;
  }

  /** @throws RangeError when a header claims more than the limit; the stream is then of no further use. */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0 || this.#complete()) {
      if (this.#payload === undefined) {
        const taken = rest.subarray(0, HEADER_BYTES - this.#headerFilled);
        this.#header.set(taken, this.#headerFilled);
        this.#headerFilled += taken.length;
        rest = rest.subarray(taken.length);
        if (this.#headerFilled === HEADER_BYTES) this.#payload = this.#allocate();
      } else if (this.#complete()) {
        const frame = { ...this.#fields(), payload: this.#payload };
        this.#payload = undefined;
        this.#payloadFilled = this.#headerFilled = 0;
        this.#onFrame(frame);
      } else {
        const taken = rest.subarray(0, this.#payload.length - this.#payloadFilled);
        this.#payload.set(taken, this.#payloadFilled);
        this.#payloadFilled += taken.length;
        rest = rest.subarray(taken.length);
      }
    }
  }

  #complete(): boolean {
    return this.#payload !== undefined && this.#payloadFilled === this.#payload.length;
  }

  #allocate(): Uint8Array<ArrayBuffer> {
    const length = new DataView(this.#header.buffer).getUint32(12, true);
    if (length > this.#payloadMax) throw new RangeError(`a frame of ${length} bytes, limit ${this.#payloadMax}`);
    return new Uint8Array(length);
  }

  #fields(): { kind: number; width: number; height: number } {
    const header = new DataView(this.#header.buffer);
    return { kind: header.getUint32(0, true), width: header.getUint32(4, true), height: header.getUint32(8, true) };
  }
}
