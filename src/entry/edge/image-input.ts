import { JanusError, quote } from "../../errors.js";
import { decodeDataUrl, isDataUrl } from "../../image/data-url.js";
import { encodedSize } from "../../image/encoded-size.js";
import { describeContent, type ImageFormat, imageFormat } from "../../image/format.js";
import { freeBytes } from "../../image/free-bytes.js";
import { inflatedByTurns } from "../../image/inflate.js";
import { countScans, hasEnd } from "../../image/jpeg-segments.js";
import {
  isPixelArray,
  PICTURE_BYTES_MAX,
  type PixelArray,
  packRgb,
  type RgbImage,
  sizeFault,
} from "../../image/pixels.js";
import { decodePng } from "../../image/png.js";
import type { ImageInput } from "../host.js";

/**
 * Decodes a whole file to 8-bit RGB or RGBA as it is stored: not rotated by EXIF, no colour profile applied, colours not multiplied with alpha. What it returns is read
 * once and then freed, if it is a buffer of its own; a view of a larger one is left alone.
 */
export type DecodePicture = (bytes: ArrayBuffer) => PixelArray | Promise<PixelArray>;

/** Of a JPEG. A decoder runs to its end here, whatever else waits. */
const MAX_SCANS = 200;

/** Decoders by format: this host has one of PNG, and the caller brings the others. The `decode` functions of @jsquash are such. */
export type Decoders = { readonly [Format in ImageFormat]?: DecodePicture };

export interface PictureOptions {
  readonly decoders: Decoders;
  /** The most pixels of an encoded picture: asked of its header, before it is decoded. */
  readonly maxPixels: number;
}

/**
 * RGB of bytes, a Blob, a `data:` URL or pixels. Bytes and pixels are copied before the first wait, so the caller may change them at once.
 *
 * @throws JanusError E_IMAGE; E_UNSUPPORTED of origin "input" for a path, a URL, or a format without a decoder; or the signal's reason.
 */
export async function loadImage(
  input: ImageInput,
  index: number,
  options: PictureOptions,
  signal?: AbortSignal,
): Promise<RgbImage> {
  signal?.throwIfAborted();
  const label = `image ${index + 1}`;
  if (isPixelArray(input)) return packRgb(input, label);
  const bytes = await readImage(input, label);
  signal?.throwIfAborted();
  try {
    return await decoded(bytes, label, options, signal);
  } finally {
    freeBytes(bytes);
  }
}

async function readImage(input: Exclude<ImageInput, PixelArray>, label: string): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof input === "string" || input instanceof URL) return readUrl(String(input), label);
  if (!(input instanceof Blob) && !(input instanceof ArrayBuffer) && !ArrayBuffer.isView(input)) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected bytes, a Blob, a data: URL or { width, height, data }, got ${quote(input)}; give one of these`,
    );
  }
  checkBytes(input instanceof Blob ? input.size : input.byteLength, label);
  if (input instanceof Blob) return new Uint8Array(await input.arrayBuffer());
  if (input instanceof ArrayBuffer) return new Uint8Array(input.slice(0));
  return new Uint8Array(new Uint8Array(input.buffer, input.byteOffset, input.byteLength));
}

function readUrl(url: string, label: string): Uint8Array<ArrayBuffer> {
  if (isDataUrl(url)) return decodeDataUrl(url, label, PICTURE_BYTES_MAX);
  throw new JanusError(
    "E_UNSUPPORTED",
    `${label}: pictures are not read from paths or URLs here; fetch it and give its bytes`,
    { origin: "input" },
  );
}

function checkBytes(size: number, label: string): void {
  if (size <= PICTURE_BYTES_MAX) return;
  throw new JanusError(
    "E_IMAGE",
    `${label}: expected at most ${PICTURE_BYTES_MAX} bytes, got ${size}; give a smaller picture`,
  );
}

async function decoded(
  bytes: Uint8Array<ArrayBuffer>,
  label: string,
  { decoders, maxPixels }: PictureOptions,
  signal: AbortSignal | undefined,
): Promise<RgbImage> {
  const format = imageFormat(bytes);
  if (format === undefined) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected a JPEG, PNG or WebP, got ${describeContent(bytes)}; give it in one of these formats`,
    );
  }
  const decode = decoders[format];
  if (decode === undefined && format !== "png") {
    throw new JanusError(
      "E_UNSUPPORTED",
      `${label}: there is no decoder of ${format} here; give one to Janus.load, as decoders.${format}, or pixels as { width, height, data }`,
      { origin: "input" },
    );
  }
  const { width, height } = encodedSize(bytes, format) ?? refuse(label, "it has no header with its size");
  const fault = sizeFault(width, height) ?? tooMany(width, height, maxPixels);
  if (fault !== undefined) throw new JanusError("E_IMAGE", `${label}: ${fault}`);
  if (decode === undefined) return decodePng(bytes, label, inflatedByTurns);
  if (format === "jpeg" && !hasEnd(bytes)) refuse(label, "it ends before the picture does");
  if (format === "jpeg" && countScans(bytes, MAX_SCANS + 1) > MAX_SCANS)
    refuse(label, `it has over ${MAX_SCANS} scans`);
  let pixels: PixelArray;
  try {
    pixels = await decode(bytes.buffer);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof JanusError) throw cause;
    refuse(label, quote(cause instanceof Error ? cause.message : String(cause)), cause);
  }
  signal?.throwIfAborted();
  if (pixels?.width !== width || pixels.height !== height)
    refuse(label, `its header says ${width}x${height}, the decoder made ${pixels?.width}x${pixels?.height}`);
  const rgb = packRgb(pixels, label);
  freeBytes(pixels.data);
  return rgb;
}

function tooMany(width: number, height: number, maxPixels: number): string | undefined {
  if (width * height <= maxPixels) return undefined;
  return `expected at most ${maxPixels} pixels, got ${width}x${height} = ${width * height}; scale the picture down`;
}

function refuse(label: string, why: string, cause?: unknown): never {
  throw new JanusError("E_IMAGE", `${label}: cannot be decoded: ${why}; give a complete JPEG, PNG or WebP`, { cause });
}
