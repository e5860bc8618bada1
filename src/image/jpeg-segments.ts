/** Marker segments of a JPEG up to its first scan, and what is told by them without decoding. */
import type { PictureSize } from "./encoded-size.js";

const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;

/** Every marker with its place, up to the first scan or the end of the image; none after what is no marker. Reads beyond the file are a RangeError. */
function* segments(view: DataView): Generator<{ readonly marker: number; readonly at: number }> {
  for (let at = 2; view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // A fill byte.
      continue;
    }
    yield { marker, at };
    if (marker === START_OF_SCAN || marker === END_OF_IMAGE) return;
    const alone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    at += alone ? 2 : 2 + Math.max(2, view.getUint16(at + 2));
  }
}

/** The size of the first frame; undefined when there is none before data begin. */
export function frameSize(view: DataView): PictureSize | undefined {
  for (const { marker, at } of segments(view)) {
    if (isStartOfFrame(marker)) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
  }
  return undefined;
}

/**
 * Whether the image ends in this file. Decoders fill what is missing of one that was cut with grey, and say nothing: Pillow refuses it. Marker
 * bytes in the data are escaped, so the end cannot be taken for anything else, but for that of a thumbnail, which lies in a segment before.
 */
export function hasEnd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    for (const { marker, at } of segments(view)) {
      if (marker !== START_OF_SCAN) continue;
      for (let end = bytes.indexOf(0xff, at + 2); end >= 0; end = bytes.indexOf(0xff, end + 1))
        if (bytes[end + 1] === END_OF_IMAGE) return true;
    }
  } catch {
    // It is cut within a segment.
  }
  return false;
}

/**
 * How many scans a JPEG has, by their markers, up to `most`. Each goes over all blocks of the picture, and one of 14 bytes may say nothing of any of them: 50 kB of those took a decoder
 * 11 s. Encoders write 10, and by scripts some dozens.
 */
export function countScans(bytes: Uint8Array, most: number): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0 && scans < most; at = bytes.indexOf(0xff, at + 1))
    if (bytes[at + 1] === START_OF_SCAN) scans++;
  return scans;
}

/** SOF0 to SOF15 but for DHT, JPG and DAC, which lie among them. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
