import type { ImageFormat } from "./format.js";

/**
 * The parts of a JPEG or WebP that make its pixels: without EXIF, whose orientation, and colour profiles, which a decoder might apply where Pillow's `convert("RGB")`
 * does not. What cannot be read to its pixels is left as it is, for the decoder to refuse.
 */
export function barePicture(
  bytes: Uint8Array<ArrayBuffer>,
  format: Exclude<ImageFormat, "png">,
): Uint8Array<ArrayBuffer>[] {
  return (format === "jpeg" ? bareJpeg(bytes) : bareWebp(bytes)) ?? [bytes];
}

/** Segments that hold pixels begin with another marker; of application data JFIF's (0) and Adobe's (14) say how colours are stored. */
function bareJpeg(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | undefined {
  const parts = [bytes.subarray(0, 2)];
  for (let at = 2; at + 4 <= bytes.length; ) {
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff) return undefined;
    if (marker === 0xff) {
      at += 1; // A fill byte.
      continue;
    }
    if (marker === 0xda) return [...parts, bytes.subarray(at)];
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    const application = marker - 0xe0;
    const dropped = application > 0 && application < 16 && application !== 14;
    if (!dropped) parts.push(bytes.subarray(at, end));
    at = end;
  }
  return undefined;
}

const RIFF_HEADER = 12;
const CHUNK_HEADER = 8;
const METADATA: readonly string[] = ["ICCP", "EXIF", "XMP "];
/** The bits of VP8X that say so. */
const METADATA_BITS = 0x2c;

function bareWebp(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | undefined {
  const header = bytes.slice(0, RIFF_HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = [header];
  for (let at = RIFF_HEADER; at < bytes.length; ) {
    if (at + CHUNK_HEADER > bytes.length) return undefined;
    const kind = String.fromCharCode(...bytes.subarray(at, at + 4));
    const size = view.getUint32(at + 4, true);
    const end = at + CHUNK_HEADER + size + (size % 2);
    if (end > bytes.length) return undefined;
    const part = kind === "VP8X" ? bytes.slice(at, end) : bytes.subarray(at, end);
    if (kind === "VP8X" && size > 0) part[CHUNK_HEADER]! &= ~METADATA_BITS;
    if (!METADATA.includes(kind)) parts.push(part);
    at = end;
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  new DataView(header.buffer).setUint32(4, length - CHUNK_HEADER, true);
  return parts;
}
