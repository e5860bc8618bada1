import { deflateSync } from "node:zlib";

/** One chunk, its CRC included. */
export function chunk(kind: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** A PNG of any claims: colour type 0 is grey, 2 RGB. `rows` are scanlines, each with its filter byte. */
export function png(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  rows: Uint8Array,
  ...before: Buffer[]
): Buffer {
  return deflatedPng(width, height, depth, colourType, deflateSync(rows), ...before);
}

/** The same of data that are deflated, or claim to be. */
export function deflatedPng(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  deflated: Uint8Array,
  ...before: Buffer[]
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    ...before,
    chunk("IDAT", deflated),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A black bilevel PNG: a few kilobytes for many megapixels. */
export function bilevel(width: number, height: number): Buffer {
  return png(width, height, 1, 0, new Uint8Array((Math.ceil(width / 8) + 1) * height));
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
