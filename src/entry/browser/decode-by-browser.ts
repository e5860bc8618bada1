import { JanusError } from "../../errors.js";
import { barePicture } from "../../image/bare-picture.js";
import { encodedSize } from "../../image/encoded-size.js";
import type { ImageFormat } from "../../image/format.js";
import { type RgbImage, rgbFromRgba, sizeFault } from "../../image/pixels.js";

/** Alpha is dropped afterwards, and must not have been multiplied before. Of a picture without metadata there is nothing to turn or convert. */
const AS_STORED: ImageBitmapOptions = { premultiplyAlpha: "none", colorSpaceConversion: "none" };

/**
 * RGB of a JPEG or WebP by the browser's own decoder: of an animation the first frame.
 *
 * @throws JanusError E_IMAGE naming `label`, of a size that is too large before anything is decoded; E_UNSUPPORTED.
 */
export async function decodeByBrowser(
  bytes: Uint8Array<ArrayBuffer>,
  format: Exclude<ImageFormat, "png">,
  label: string,
): Promise<RgbImage> {
  const size = encodedSize(bytes, format);
  const fault = size === undefined ? "it has no size" : sizeFault(size.width, size.height);
  if (fault !== undefined) throw refusal(label, `${fault}; give a complete JPEG, PNG or WebP`);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob(barePicture(bytes, format), { type: `image/${format}` }), AS_STORED);
  } catch (cause) {
    throw refusal(label, "this browser finds it damaged; give a complete JPEG, PNG or WebP", cause);
  }
  const { width, height } = bitmap;
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw refusal(label, `this browser has no canvas of ${width}x${height}; give a smaller picture`);
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: rgbFromRgba(context.getImageData(0, 0, width, height).data) };
  } finally {
    bitmap.close();
  }
}

function refusal(label: string, why: string, cause?: unknown): JanusError {
  return new JanusError("E_IMAGE", `${label}: cannot be decoded: ${why}`, { cause });
}
