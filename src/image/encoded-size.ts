import type { ImageFormat } from "./format.js";
import { frameSize } from "./jpeg-segments.js";

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The size that an encoded picture declares in its header, without decoding anything; undefined where no such header is found. A decoder allocates
 * what this says, so it is asked first.
 */
export function encodedSize(bytes: Uint8Array, format: ImageFormat): PictureSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return SIZES[format](view);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // The file ends before its header.
    throw error;
  }
}

const SIZES: Readonly<Record<ImageFormat, (view: DataView) => PictureSize | undefined>> = {
  png: pngSize,
  jpeg: frameSize,
  webp: webpSize,
};

/** IHDR is the first chunk. */
function pngSize(view: DataView): PictureSize | undefined {
  if (view.getUint32(12) !== 0x49484452) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** The canvas of an extended file, or the frame of a simple one, lossy or lossless. */
function webpSize(view: DataView): PictureSize | undefined {
  switch (view.getUint32(12)) {
    case 0x56503858: // "VP8X"
      return { width: 1 + uint24(view, 24), height: 1 + uint24(view, 27) };
    case 0x56503820: // "VP8 ": a frame tag, a start code, then 14 bits of each.
      if (uint24(view, 23) !== 0x2a019d) return undefined;
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case 0x5650384c: {
      // "VP8L": a signature, then 14 bits of each, less one.
      if (view.getUint8(20) !== 0x2f) return undefined;
      const bits = view.getUint32(21, true);
      return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
    }
    default:
      return undefined;
  }
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}
