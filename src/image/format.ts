/** The encodings that are decoded. Each carries its signature in its first bytes. */
export type ImageFormat = "jpeg" | "png" | "webp";

/**
 * The format that the first bytes declare. Everything else is refused before a decoder sees it: an SVG or a PDF is a program, and
 * the loaders of rarer formats are where image libraries have had their worst faults.
 */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, "\xff\xd8\xff")) return "jpeg";
  if (startsWith(bytes, "\x89PNG\r\n\x1a\n")) return "png";
  if (startsWith(bytes, "RIFF") && startsWith(bytes, "WEBP", 8)) return "webp";
  return undefined;
}

/** Signatures of what people hand over instead, in the order they are tried. */
const OTHERS: readonly (readonly [name: string, signature: string, offset: number])[] = [
  ["a GIF", "GIF8", 0],
  ["a BMP", "BM", 0],
  ["a TIFF", "II*\0", 0],
  ["a TIFF", "MM\0*", 0],
  ["an AVIF", "ftypavif", 4],
  ["a HEIC", "ftyphei", 4],
  ["a HEIC", "ftypmif1", 4],
  ["a JPEG XL", "\xff\x0a", 0],
  ["a JPEG XL", "JXL ", 4],
  ["a PDF", "%PDF", 0],
  ["a PostScript file", "%!PS", 0],
  ["a Git LFS pointer (run `git lfs pull`)", "version https://git-lfs", 0],
  ["a page of HTML", "<!DOCTYPE html", 0],
  ["a page of HTML", "<html", 0],
  ["an SVG", "<svg", 0],
  ["XML or SVG", "<?xml", 0],
  ["XML or SVG", "<!DOCTYPE", 0],
];

/** What bytes that are none of the formats seem to be, for a message. */
export function describeContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return "no bytes";
  const known = OTHERS.find(([, signature, offset]) => startsWith(bytes, signature, offset));
  if (known) return known[0];
  const head = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0"));
  return `${bytes.length} bytes that begin with ${head.join(" ")}`;
}

function startsWith(bytes: Uint8Array, signature: string, offset = 0): boolean {
  for (let i = 0; i < signature.length; i++) {
    if (bytes[offset + i] !== signature.charCodeAt(i)) return false;
  }
  return true;
}
