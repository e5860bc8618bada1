import { JanusError, quote } from "../errors.js";

/** A decoded picture: packed 8-bit RGB rows, [height, width, 3]. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** A picture given as pixels: 8-bit RGB or RGBA rows, tightly packed; the length says which. A canvas' ImageData is one. */
export interface PixelArray {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** An object with sizes and data; bytes in any form have no sizes. */
export function isPixelArray(input: unknown): input is PixelArray {
  return typeof input === "object" && input !== null && "width" in input && "height" in input && "data" in input;
}

/**
 * The largest picture taken: 8192 x 8192, 201 MB as RGB. Above the 61 megapixels of the largest full-frame cameras, below the 81 that a
 * PNG of 240 kB can unfold to.
 */
export const PIXELS_MAX = 2 ** 26;

/** The largest encoded picture; a 20-megapixel PNG is about 40 MB. */
export const PICTURE_BYTES_MAX = 64 * 2 ** 20;

/** The longest side taken: libpng's own limit. The resampling table of such a side, to 384, is 16 MB. */
export const SIDE_MAX = 1_000_000;

/**
 * Packed RGB of a pixel array: always a copy, so what the caller does with its buffer afterwards (write, shrink, transfer) is of no
 * consequence. Alpha is dropped, not blended, as Pillow's `convert("RGB")` does.
 *
 * @throws JanusError E_IMAGE naming `label` when sizes, type or length do not fit.
 */
export function packRgb(pixels: PixelArray, label: string): RgbImage {
  const { width, height, data } = pixels;
  const fault = sizeFault(width, height);
  if (fault !== undefined) throw new JanusError("E_IMAGE", `${label}: ${fault}`);
  if (!isByteArray(data)) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected pixels as Uint8Array or Uint8ClampedArray, got ${typeName(data)}; convert them to 8-bit RGB or RGBA`,
    );
  }
  const count = width * height;
  if (data.length === count * 3) return { width, height, data: new Uint8Array(data) };
  if (data.length === count * 4) return { width, height, data: rgbFromRgba(data) };
  const transferred = data.length === 0 ? " (has its buffer been transferred?)" : "";
  throw new JanusError(
    "E_IMAGE",
    `${label}: expected ${count * 3} (RGB) or ${count * 4} (RGBA) bytes for ${width}x${height} pixels, got ${data.length}${transferred}; pack the rows without padding`,
  );
}

/** What is wrong with a picture's size, as the rest of a message: to be asked before anything is allocated for it. */
export function sizeFault(width: number, height: number): string | undefined {
  const wrong = [width, height].findIndex((side) => !Number.isSafeInteger(side) || side < 1 || side > SIDE_MAX);
  if (wrong >= 0) {
    const [name, side] = wrong === 0 ? ["width", width] : ["height", height];
    return `expected a ${name} of 1 to ${SIDE_MAX} pixels, got ${quote(side)}; give a picture within these limits`;
  }
  if (width * height <= PIXELS_MAX) return undefined;
  return `expected at most ${PIXELS_MAX} pixels, got ${width}x${height} = ${width * height}; scale the picture down`;
}

/** RGB of [count, 4] RGBA: the colours as they are, also under alpha 0. */
export function rgbFromRgba(rgba: Uint8Array | Uint8ClampedArray): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}

/**
 * RGB of 16-bit grey levels. Pillow opens a grey PNG of 16 bits as `I;16`, whose conversion clips at 255; one with an alpha channel
 * as `LA`, which keeps the high byte.
 */
export function rgbFromGrey16(grey: Uint16Array, keep: "clipped" | "high byte"): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) {
    const level = keep === "clipped" ? Math.min(grey[i]!, 255) : grey[i]! >> 8;
    rgb[i * 3] = level;
    rgb[i * 3 + 1] = level;
    rgb[i * 3 + 2] = level;
  }
  return rgb;
}

/**
 * RGB of [count, 4] CMYK, 0 for no ink: Pillow's `cmyk2rgb`, which knows no colour profile. With nk = 255 - k, a channel is
 * nk - c * nk / 255, the quotient rounded by Pillow's MULDIV255.
 */
export function rgbFromCmyk(cmyk: Uint8Array): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const white = 255 - cmyk[from + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      const product = cmyk[from + channel]! * white + 128;
      rgb[to + channel] = Math.max(0, white - (((product >> 8) + product) >> 8));
    }
  }
  return rgb;
}

/** By its tag, not by `instanceof`: arrays of another realm (an iframe, a vm context, a test runner's) are as good. */
function isByteArray(data: unknown): data is Uint8Array | Uint8ClampedArray {
  return ArrayBuffer.isView(data) && /^\[object Uint8(Clamped)?Array\]$/.test(Object.prototype.toString.call(data));
}

function typeName(data: unknown): string {
  return ArrayBuffer.isView(data) ? Object.prototype.toString.call(data).slice(8, -1) : quote(data);
}
