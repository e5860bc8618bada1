import { JanusError } from "../../errors.js";
import { type BarePicture, barePicture } from "../../image/bare-picture.js";
import { encodedSize } from "../../image/encoded-size.js";
import type { ImageFormat } from "../../image/format.js";
import { hasEnd } from "../../image/jpeg-segments.js";
import { type RgbImage, rgbFromRgba, sizeFault } from "../../image/pixels.js";

/**
 * A picture without metadata has nothing to turn or convert. It has no alpha either; Chromium leaves what a lossless WebP has in that place as it is only where neither the
 * bitmap is asked to be other than by default nor the canvas has alpha.
 */
const AS_STORED: ImageBitmapOptions = { colorSpaceConversion: "none" };
const OPAQUE: CanvasRenderingContext2DSettings = { alpha: false, willReadFrequently: true };

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
  const bare = barePicture(bytes, format);
  // Of a JPEG that was cut, Firefox gives what there is of it.
  if (bare === undefined || (format === "jpeg" && !hasEnd(bytes)))
    throw refusal(label, "it ends before the picture does; give a complete JPEG, PNG or WebP");
  const { parts, place } = bare;
  const picture = await drawn(parts, format, label);
  return place === undefined ? picture : placed(picture, place);
}

async function drawn(
  parts: readonly Uint8Array<ArrayBuffer>[],
  format: Exclude<ImageFormat, "png">,
  label: string,
): Promise<RgbImage> {
  // Firefox looks for the kind of file in the first part of a Blob alone.
  const whole = await new Blob([...parts]).arrayBuffer();
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([whole], { type: `image/${format}` }), AS_STORED);
  } catch (cause) {
    throw refusal(label, "this browser finds it damaged; give a complete JPEG, PNG or WebP", cause);
  }
  const { width, height } = bitmap;
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d", OPAQUE);
    if (!context) throw refusal(label, `this browser has no canvas of ${width}x${height}; give a smaller picture`);
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: rgbFromRgba(context.getImageData(0, 0, width, height).data) };
  } finally {
    bitmap.close();
  }
}

/** A frame on its canvas, of which it covers what it covers. */
function placed(frame: RgbImage, { x, y, width, height }: NonNullable<BarePicture["place"]>): RgbImage {
  const data = new Uint8Array(width * height * 3);
  const columns = Math.max(0, Math.min(frame.width, width - x));
  for (let row = 0; row < frame.height && y + row < height; row++) {
    const from = row * frame.width * 3;
    data.set(frame.data.subarray(from, from + columns * 3), ((y + row) * width + x) * 3);
  }
  return { width, height, data };
}

function refusal(label: string, why: string, cause?: unknown): JanusError {
  return new JanusError("E_IMAGE", `${label}: cannot be decoded: ${why}`, { cause });
}
