import type { ImageFormat } from "./format.js";

/** A picture as a decoder is to see it. */
export interface BarePicture {
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** Where it lies on a larger one, which is black around it: the first frame of an animation. */
  readonly place?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/**
 * The parts of a JPEG or WebP that make its colours: without EXIF, whose orientation, without profiles and alpha, which a decoder might apply where Pillow's
 * `convert("RGB")` does not; and of an animation its first frame. Undefined of what cannot be read to its pixels: as it is, a decoder might take it, with all of that.
 */
export function barePicture(
  bytes: Uint8Array<ArrayBuffer>,
  format: Exclude<ImageFormat, "png">,
): BarePicture | undefined {
  if (format === "webp") return bareWebp(bytes);
  const parts = bareJpeg(bytes);
  return parts && { parts };
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
/** What is before the chunks of a frame: its place and size, duration and flags. */
const FRAME_HEADER = 16;
/** Bits of VP8X for a profile, alpha, EXIF, XMP and an animation. */
const DROPPED_BITS = 0x3e;
/** Where a lossless stream says that its alpha is meant, and the bit. */
const LOSSLESS_ALPHA = { at: CHUNK_HEADER + 4, bit: 0x10 };

interface Chunk {
  readonly kind: string;
  /** With its header. */
  readonly whole: Uint8Array<ArrayBuffer>;
}

function bareWebp(bytes: Uint8Array<ArrayBuffer>): BarePicture | undefined {
  if (bytes.length < RIFF_HEADER) return undefined;
  // Where the file says that it ends: what some programs leave behind it is not of the picture.
  const end = CHUNK_HEADER + uint32(bytes, 4);
  if (end > bytes.length) return undefined;
  const chunks = chunksOf(bytes.subarray(0, end), RIFF_HEADER);
  const canvas = chunks?.find(({ kind }) => kind === "VP8X")?.whole;
  const frame = chunks?.find(({ kind }) => kind === "ANMF")?.whole;
  if (!frame) return chunks && { parts: riff(chunks) };
  const inside = chunksOf(frame, CHUNK_HEADER + FRAME_HEADER);
  if (!inside || !canvas || canvas.length < CHUNK_HEADER + 10) return undefined;
  const place = {
    x: 2 * uint24(frame, CHUNK_HEADER),
    y: 2 * uint24(frame, CHUNK_HEADER + 3),
    width: 1 + uint24(canvas, CHUNK_HEADER + 4),
    height: 1 + uint24(canvas, CHUNK_HEADER + 7),
  };
  return { parts: riff(inside), place };
}

/** The chunks from `at` to the end, each padded to an even size, but for the last, which some programs forget; undefined where one is cut short. */
function chunksOf(bytes: Uint8Array<ArrayBuffer>, from: number): Chunk[] | undefined {
  const chunks: Chunk[] = [];
  for (let at = from; at + CHUNK_HEADER <= bytes.length; ) {
    const kind = String.fromCharCode(...bytes.subarray(at, at + 4));
    const end = at + CHUNK_HEADER + uint32(bytes, at + 4);
    if (end > bytes.length) return undefined;
    chunks.push({ kind, whole: bytes.subarray(at, end) });
    at = end + ((end - at) % 2);
  }
  return chunks;
}

/** A file of the chunks that have colours. */
function riff(chunks: readonly Chunk[]): Uint8Array<ArrayBuffer>[] {
  const kept: Uint8Array<ArrayBuffer>[] = [];
  for (const { kind, whole } of chunks) {
    if (kind === "VP8 ") kept.push(whole);
    if (kind === "VP8L") kept.push(cleared(whole, LOSSLESS_ALPHA.at, LOSSLESS_ALPHA.bit));
    if (kind === "VP8X") kept.push(cleared(whole, CHUNK_HEADER, DROPPED_BITS));
  }
  const padded = kept.flatMap((part) => (part.length % 2 ? [part, new Uint8Array(1)] : [part]));
  const header = new Uint8Array(RIFF_HEADER);
  header.set(new TextEncoder().encode("RIFF    WEBP"));
  const length = padded.reduce((sum, part) => sum + part.length, 4);
  new DataView(header.buffer).setUint32(4, length, true);
  return [header, ...padded];
}

function cleared(part: Uint8Array<ArrayBuffer>, at: number, bits: number): Uint8Array<ArrayBuffer> {
  const copy = part.slice();
  if (at < copy.length) copy[at]! &= ~bits;
  return copy;
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint24(bytes, at) + bytes[at + 3]! * 2 ** 24;
}

function uint24(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}
