import { JanusError, quote } from "../../errors.js";
import { isDataUrl } from "../../image/data-url.js";
import { isPixelArray, PICTURE_BYTES_MAX, type PixelArray, packRgb, type RgbImage } from "../../image/pixels.js";
import { isBytes } from "../../weights/files-source.js";
import type { ImageInput } from "../host.js";
import type { Decoder } from "./decoder.js";
import { fetchPicture } from "./fetch-picture.js";
import { pageUrl } from "./page-url.js";
import type { PictureTask } from "./serve-pictures.js";

/**
 * RGB of any input. Bytes and pixels are copied before the first wait, so the caller may change them at once.
 *
 * @throws JanusError E_IMAGE, E_IO (origin "input"), E_NETWORK; or the signal's reason.
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
  return decoder.decode({ file: await fileOf(input, label, signal), label }, signal);
}

/** What messages call the picture at an index: its URL, or its number counted from 1. */
function imageLabel(input: ImageInput, index: number): string {
  const text = input instanceof URL ? input.href : input;
  return typeof text === "string" && !isDataUrl(text) ? quote(text) : `image ${index + 1}`;
}

async function fileOf(
  input: Exclude<ImageInput, PixelArray>,
  label: string,
  signal: AbortSignal | undefined,
): Promise<PictureTask["file"]> {
  if (typeof input === "string" || input instanceof URL) {
    const location = String(input);
    if (isDataUrl(location)) return location;
    const url = pageUrl(location);
    if (url !== undefined) return fetchPicture(url, label, signal);
  } else if (input instanceof Blob) {
    return checkSize(input.size, label) ?? input;
  } else if (isBytes(input)) {
    checkSize(input.byteLength, label);
    return copyOf(input);
  }
  throw new JanusError(
    "E_IMAGE",
    `${label}: expected a URL, bytes, a Blob or { width, height, data }, got ${quote(input)}; give one of these`,
  );
}

function checkSize(bytes: number, label: string): undefined {
  if (bytes > PICTURE_BYTES_MAX)
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected at most ${PICTURE_BYTES_MAX} bytes, got ${bytes}; give a smaller picture`,
    );
}

/** A view cannot be made of a detached buffer, which has no bytes; what the content should be is said of those. */
function copyOf(input: ArrayBufferLike | ArrayBufferView): Uint8Array<ArrayBuffer> {
  if (input.byteLength === 0) return new Uint8Array();
  return ArrayBuffer.isView(input)
    ? new Uint8Array(new Uint8Array(input.buffer, input.byteOffset, input.byteLength))
    : new Uint8Array(new Uint8Array(input));
}
