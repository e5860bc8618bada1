import { JanusError, quote } from "../errors.js";

/** True when a string is a data: URL rather than a path. */
export function isDataUrl(text: string): boolean {
  return /^data:/i.test(text);
}

/**
 * The bytes of `data:image/…;base64,…`, the form that the reference's `load_pil_images` takes. The media type is not compared with
 * the content: the content decides.
 *
 * @throws JanusError E_IMAGE naming `label` for another form, for characters outside base64, and beyond `bytesMax` bytes.
 */
export function decodeDataUrl(url: string, label: string, bytesMax: number): Uint8Array<ArrayBuffer> {
  const comma = url.indexOf(",");
  const head = url.slice(0, comma < 0 ? undefined : comma);
  if (comma < 0 || !/^data:image\/[^,]*;base64$/i.test(head)) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected data:image/…;base64,…, got ${quote(head)}; encode the file in base64`,
    );
  }
  // Four characters carry three bytes; a little more is allowed for line ends.
  const charactersMax = Math.ceil(bytesMax / 3) * 4 * 1.05;
  if (url.length - comma - 1 > charactersMax) {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected at most ${bytesMax} bytes, got ${url.length - comma - 1} characters of base64; give a smaller picture`,
    );
  }
  let binary: string;
  try {
    binary = atob(url.slice(comma + 1));
  } catch {
    throw new JanusError(
      "E_IMAGE",
      `${label}: expected base64 after the comma of the data: URL, got other characters or a broken length; encode the file again`,
    );
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
