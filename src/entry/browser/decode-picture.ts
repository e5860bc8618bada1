import { JanusError } from "../../errors.js";
import { describeContent, imageFormat } from "../../image/format.js";
import type { RgbImage } from "../../image/pixels.js";
import { decodePng } from "../../image/png.js";
import { decodeByBrowser } from "./decode-by-browser.js";

/**
 * RGB of the bytes of a picture: of a PNG exactly what Pillow's `convert("RGB")` gives; a JPEG or WebP by the browser's own decoder, which differs from Pillow's by a
 * few levels.
 *
 * @throws JanusError E_IMAGE naming `label`.
 */
export async function decodePicture(bytes: Uint8Array<ArrayBuffer>, label: string): Promise<RgbImage> {
  const format = imageFormat(bytes);
  if (format === undefined)
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected a JPEG, PNG or WebP, got ${describeContent(bytes)}; give it in one of these formats`,
    );
  return format === "png" ? decodePng(bytes, label) : decodeByBrowser(bytes, format, label);
}
