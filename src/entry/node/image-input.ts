import { fileURLToPath } from "node:url";
import { isAnyArrayBuffer } from "node:util/types";
import { JanusError, quote } from "../../errors.js";
import { decodeDataUrl, isDataUrl } from "../../image/data-url.js";
import { isPixelArray, type PixelArray, packRgb, type RgbImage } from "../../image/pixels.js";
import type { Decoder } from "./decoder.js";
import { PICTURE_BYTES_MAX } from "./decoder-protocol.js";
import { readImageFile } from "./image-file.js";

/**
 * A picture: a path, a `file:` or `data:` URL, the bytes of a JPEG, PNG or WebP (as they are, or in a Blob), or its pixels.
 * @example "scene.png", new URL("scene.png", import.meta.url), await readFile("scene.png"), context.getImageData(0, 0, w, h)
 */
export type ImageInput = string | URL | Blob | ArrayBufferLike | ArrayBufferView | PixelArray;

/** What messages call the picture at an index: its path, or its number counted from 1. */
export function imageLabel(input: ImageInput, index: number): string {
  const text = input instanceof URL ? input.href : input;
  return typeof text === "string" && !isDataUrl(text) ? quote(text) : `image ${index + 1}`;
}

/**
 * RGB of any input. Bytes and pixels are copied before the first wait, so the caller may change them at once.
 *
 * @throws JanusError E_IMAGE, E_IO (origin "input"), E_UNSUPPORTED for http(s); or the signal's reason.
 */
export async function loadImage(
  input: ImageInput,
  index: number,
  decoder: Pick<Decoder, "decode">,
  signal?: AbortSignal,
): Promise<RgbImage> {
  signal?.throwIfAborted();
  const label = imageLabel(input, index);
  if (isPixelArray(input)) return packRgb(input, label);
  return decoder.decode(await readImage(input, label, signal), label, signal);
}

async function readImage(
  input: Exclude<ImageInput, PixelArray>,
  label: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof input === "string" || input instanceof URL) return readLocation(String(input), input, label, signal);
  if (input instanceof Blob) return readBlob(input, label, signal);
  if (isAnyArrayBuffer(input) || ArrayBuffer.isView(input)) return copyOf(input, label);
  throw new JanusError(
    "E_IMAGE",
    `${label}: expected a path, a URL, bytes, a Blob or { width, height, data }, got ${quote(input)}; give one of these`,
  );
}

async function readLocation(
  location: string,
  input: string | URL,
  label: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  if (isDataUrl(location)) return decodeDataUrl(location, label, PICTURE_BYTES_MAX);
  if (/^https?:/i.test(location)) {
    throw new JanusError("E_UNSUPPORTED", `${label}: pictures are not fetched from URLs; fetch it and give its bytes`, {
      origin: "input",
    });
  }
  if (!/^file:/i.test(location)) {
    if (typeof input === "string") return readImageFile(input, signal);
    throw new JanusError("E_UNSUPPORTED", `${label}: expected a file: or data: URL; give a path or the bytes`, {
      origin: "input",
    });
  }
  let path: string;
  try {
    path = fileURLToPath(location);
  } catch (cause) {
    throw new JanusError("E_IMAGE", `${label}: expected a file: URL of a local file; give its path`, { cause });
  }
  return readImageFile(path, signal);
}

async function readBlob(blob: Blob, label: string, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
  checkBytes(blob.size, label);
  let bytes: ArrayBuffer;
  try {
    bytes = await blob.arrayBuffer();
  } catch (cause) {
    throw new JanusError(
      "E_IO",
      `${label}: expected to read a Blob of ${blob.size} bytes, and it failed; give it anew`,
      {
        cause,
        origin: "input",
      },
    );
  }
  signal?.throwIfAborted();
  return new Uint8Array(bytes);
}

function copyOf(input: ArrayBufferLike | ArrayBufferView, label: string): Uint8Array<ArrayBuffer> {
  checkBytes(input.byteLength, label);
  // A view cannot be made of a detached buffer, which has no bytes; the decoder's message says so.
  if (input.byteLength === 0) return new Uint8Array();
  return ArrayBuffer.isView(input)
    ? new Uint8Array(new Uint8Array(input.buffer, input.byteOffset, input.byteLength))
    : new Uint8Array(new Uint8Array(input));
}

function checkBytes(size: number, label: string): void {
  if (size <= PICTURE_BYTES_MAX) return;
  throw new JanusError(
    "E_IMAGE",
    `${label}: expected at most ${PICTURE_BYTES_MAX} bytes, got ${size}; give a smaller picture`,
  );
}
