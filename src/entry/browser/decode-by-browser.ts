import { JanusError } from "../../errors.js";
import type { ImageFormat } from "../../image/format.js";
import { type RgbImage, rgbFromRgba, sizeFault } from "../../image/pixels.js";

/** Neither rotated by EXIF, nor converted by a profile, nor multiplied by alpha. */
const AS_STORED: ImageBitmapOptions = {
  imageOrientation: "none" as ImageBitmapOptions["imageOrientation"] & string,
  premultiplyAlpha: "none",
  colorSpaceConversion: "none",
};

/** RGB of a JPEG or WebP by the browser's own decoder: its first frame. @throws JanusError E_IMAGE naming `label`. */
export async function decodeByBrowser(
  bytes: Uint8Array<ArrayBuffer>,
  format: Exclude<ImageFormat, "png">,
  label: string,
): Promise<RgbImage> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: `image/${format}` }), AS_STORED);
  } catch (cause) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: cannot be decoded: the browser refuses it as ${format}; give a complete JPEG, PNG or WebP`,
      { cause },
    );
  }
  try {
    const { width, height } = bitmap;
    const fault = sizeFault(width, height);
    if (fault !== undefined) throw new JanusError("E_IMAGE", `${label}: ${fault}`);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context)
      throw new JanusError("E_UNSUPPORTED", `${label}: this browser has no canvas for a worker; give a PNG`);
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: rgbFromRgba(context.getImageData(0, 0, width, height).data) };
  } finally {
    bitmap.close();
  }
}
