import { sizeFault } from "./pixels.js";

/** What the header of a PNG says, and where its content is. */
export interface PngFile {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colourType: ColourType;
  readonly interlaced: boolean;
  /** RGB of up to 256 entries; empty where there is none. */
  readonly palette: Uint8Array;
  /** The parts of one zlib stream. */
  readonly data: readonly Uint8Array<ArrayBuffer>[];
}

export const COLOUR = { grey: 0, rgb: 2, palette: 3, greyAlpha: 4, rgba: 6 } as const;
export type ColourType = (typeof COLOUR)[keyof typeof COLOUR];

/** PNG 3rd edition, table 8. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  [COLOUR.grey]: [1, 2, 4, 8, 16],
  [COLOUR.rgb]: [8, 16],
  [COLOUR.palette]: [1, 2, 4, 8],
  [COLOUR.greyAlpha]: [8, 16],
  [COLOUR.rgba]: [8, 16],
};

const SIGNATURE_BYTES = 8;
const HEADER_BYTES = 13;
/** Of the data. Encoders write 8 KB and more at a time; a list of empty ones would be ten times the file. */
const MAX_PARTS = 2 ** 16;
/** The bit that lets a decoder pass over a chunk that it does not know: the first letter is small. */
const ANCILLARY = 0x20;

/** The remainders of the 256 bytes, for the reflected polynomial of PNG, annex D. */
const REMAINDERS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb8_8320 : 0);
  return remainder;
});

/**
 * The critical chunks of a PNG, whose signature was seen; all others are passed over, as colours are taken as they are stored. Of an animation this is the picture
 * that comes without one.
 *
 * @throws Error that says what is wrong with the file, as a clause.
 */
export function readPng(bytes: Uint8Array<ArrayBuffer>): PngFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data: Uint8Array<ArrayBuffer>[] = [];
  let header: Omit<PngFile, "palette" | "data"> | undefined;
  let palette: Uint8Array = new Uint8Array(0);
  let last = "";
  for (let at = SIGNATURE_BYTES; last !== "IEND"; ) {
    if (at + 12 > bytes.length) throw new Error(`it ends after ${bytes.length} bytes, in the middle`);
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length) throw new Error(`it ends after ${bytes.length} bytes, in the middle`);
    const critical = (bytes[at + 4]! & ANCILLARY) === 0;
    if (critical && crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end))
      throw new Error(`the checksum of a chunk of ${length} bytes does not hold`);
    const content = bytes.subarray(at + 8, end);
    if ((kind === "IHDR") !== (header === undefined)) throw new Error("it does not begin with one header");
    if (kind === "IHDR") header = readHeader(content, view.getUint32(at + 8), view.getUint32(at + 12));
    else if (kind === "PLTE" && palette.length === 0 && data.length === 0) palette = readPalette(content);
    else if (kind === "IDAT" && data.length < MAX_PARTS && (data.length === 0 || last === "IDAT")) data.push(content);
    else if (critical && kind !== "IEND") throw new Error("a chunk is unknown, or not where it belongs");
    last = kind;
    at = end + 4;
  }
  if (!header || data.length === 0) throw new Error("it has no picture");
  if (header.colourType === COLOUR.palette && palette.length === 0) throw new Error("it has no palette");
  return { ...header, palette, data };
}

function readHeader(content: Uint8Array, width: number, height: number): Omit<PngFile, "palette" | "data"> {
  if (content.length !== HEADER_BYTES) throw new Error(`its header has ${content.length} bytes`);
  const [depth = 0, colourType = 0, compression, filter, interlace = 0] = content.subarray(8);
  const fault = sizeFault(width, height);
  if (fault !== undefined) throw new Error(fault);
  if (!DEPTHS[colourType]?.includes(depth)) throw new Error(`there is no colour type ${colourType} of ${depth} bits`);
  if (compression !== 0 || filter !== 0 || interlace > 1)
    throw new Error(`there is no compression ${compression}, filter ${filter} and interlace ${interlace}`);
  return { width, height, depth, colourType: colourType as ColourType, interlaced: interlace === 1 };
}

function readPalette(content: Uint8Array): Uint8Array {
  if (content.length === 0 || content.length % 3 !== 0 || content.length > 768)
    throw new Error(`its palette has ${content.length} bytes`);
  return content;
}

function crc32(bytes: Uint8Array): number {
  let remainder = ~0;
  for (let i = 0; i < bytes.length; i++) remainder = (remainder >>> 8) ^ REMAINDERS[(remainder ^ bytes[i]!) & 0xff]!;
  return ~remainder >>> 0;
}
