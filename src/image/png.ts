import { JanusError } from "../errors.js";
import { type Inflate, inflated } from "./inflate.js";
import type { RgbImage } from "./pixels.js";
import { type PngFile, readPng } from "./png-chunks.js";
import { filterDistance, type PngRow, putterOf, rowsOf, unfilter } from "./png-rows.js";

/** A byte of deflate stands for 1032 at most: 258 for every two bits. */
const DEFLATE_MAX = 1032;

/**
 * RGB of a PNG, byte for byte what Pillow's `convert("RGB")` gives, without a canvas: that would lose colours under alpha 0, and know 16 bits otherwise. Inflating is the
 * platform's (DecompressionStream), and ends with the last row, however much follows. Rows are taken as they come: beside the file and the RGB there are two of them in memory.
 *
 * @throws JanusError E_IMAGE naming `label`, for what is damaged, cut short or too large, before anything is allocated for it.
 */
export async function decodePng(
  bytes: Uint8Array<ArrayBuffer>,
  label: string,
  inflate: Inflate = inflated,
): Promise<RgbImage> {
  try {
    return await decode(readPng(bytes), inflate);
  } catch (cause) {
    // What the platform says of a stream that it cannot inflate is not worth showing.
    const why = cause instanceof Error && cause.constructor === Error ? cause.message : "its data is damaged";
    throw new JanusError("E_IMAGE", `${label}: cannot be decoded: ${why}; give a complete JPEG, PNG or WebP`, {
      cause,
    });
  }
}

async function decode(file: PngFile, inflate: Inflate): Promise<RgbImage> {
  const { width, height } = file;
  checkRoom(file);
  const reader = inflate(file.data).getReader();
  const data = new Uint8Array(width * height * 3);
  const take = rowTaker(file, data);
  try {
    for (let wanting = true; wanting; ) {
      const { done, value } = await reader.read();
      if (done) throw new Error("its data ends before the last row");
      wanting = take(value);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  return { width, height, data };
}

/** What a few bytes claim to hold is not given memory before it could be true. */
function checkRoom(file: PngFile): void {
  let bytes = 0;
  for (const row of rowsOf(file)) bytes += 1 + row.bytes;
  const deflated = file.data.reduce((sum, part) => sum + part.length, 0);
  if (bytes > deflated * DEFLATE_MAX) throw new Error(`its ${deflated} bytes of data cannot hold ${bytes}`);
}

/** Takes the stream as it comes, row by row, into `rgb`; says whether it wants more. */
function rowTaker(file: PngFile, rgb: Uint8Array): (chunk: Uint8Array) => boolean {
  const put = putterOf(file);
  const distance = filterDistance(file);
  const rows = rowsOf(file);
  let place: PngRow | undefined = rows.next().value;
  // A row with its filter in front, and the one above it.
  let row = new Uint8Array(1 + (place?.bytes ?? 0));
  let above = new Uint8Array(row.length);
  let filled = 0;
  return (chunk) => {
    for (let at = 0; place !== undefined && at < chunk.length; ) {
      const part = chunk.subarray(at, at + row.length - filled);
      row.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < row.length) break;
      unfilter(row[0]!, row.subarray(1), above.subarray(1), distance);
      put(row.subarray(1), place, rgb);
      place = rows.next().value;
      filled = 0;
      if (!place?.first) [row, above] = [above, row];
      else [row, above] = [new Uint8Array(1 + place.bytes), new Uint8Array(1 + place.bytes)];
    }
    return place !== undefined;
  };
}
