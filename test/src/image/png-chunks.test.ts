import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readPng } from "#dist/image/png-chunks.js";
import { chunk, png } from "../../support/png.js";

const test = suite("image/png-chunks");

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
const END = chunk("IEND", Buffer.alloc(0));
const DATA = chunk("IDAT", Buffer.from("data"));

function header(...[width, height, depth, colourType, compression = 0, filter = 0, interlace = 0]: number[]): Buffer {
  const content = Buffer.alloc(13);
  content.writeUInt32BE(width!, 0);
  content.writeUInt32BE(height!, 4);
  content.set([depth!, colourType!, compression, filter, interlace], 8);
  return chunk("IHDR", content);
}

const file = (...chunks: Buffer[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat([SIGNATURE, ...chunks]));
const rejects = (bytes: Uint8Array<ArrayBuffer>, pattern: RegExp): void => assert.throws(() => readPng(bytes), pattern);

test("the header, the palette and the data", () => {
  const palette = Uint8Array.of(1, 2, 3, 4, 5, 6);
  const read = readPng(file(header(7, 5, 2, 3, 0, 0, 1), chunk("PLTE", palette), DATA, DATA, END));
  const { data, palette: found, ...rest } = read;
  assert.equal(rest, { width: 7, height: 5, depth: 2, colourType: 3, interlaced: true });
  assert.equal([...found], [...palette]);
  assert.is(Buffer.concat(data).toString(), "datadata");
});

test("every other depth of every colour type is refused", () => {
  const valid = new Set(["0:1", "0:2", "0:4", "0:8", "0:16", "2:8", "2:16", "3:1", "3:2", "3:4", "3:8"]);
  for (const pair of ["4:8", "4:16", "6:8", "6:16"]) valid.add(pair);
  const palette = chunk("PLTE", Buffer.alloc(3));
  for (let type = 0; type < 9; type++) {
    for (let depth = 0; depth < 20; depth++) {
      const bytes = file(header(1, 1, depth, type), palette, DATA, END);
      if (valid.has(`${type}:${depth}`)) assert.is(readPng(bytes).depth, depth);
      else rejects(bytes, /there is no colour type/);
    }
  }
});

test("what is no PNG in its chunks is refused in words", () => {
  const head = header(1, 1, 8, 2);
  rejects(file(), /ends after 8 bytes/);
  rejects(file(head), /in the middle/);
  rejects(file(head, END), /no picture/);
  rejects(file(DATA, END), /does not begin with one header/);
  rejects(file(head, head, DATA, END), /one header/);
  rejects(file(chunk("IHDR", Buffer.alloc(12)), DATA, END), /its header has 12 bytes/);
  rejects(file(header(1, 1, 8, 2, 1), DATA, END), /no compression 1/);
  rejects(file(header(1, 1, 8, 2, 0, 1), DATA, END), /filter 1/);
  rejects(file(header(1, 1, 8, 2, 0, 0, 2), DATA, END), /interlace 2/);
  rejects(file(header(1, 1, 8, 3), DATA, END), /no palette/);
  rejects(file(header(1, 1, 8, 3), DATA, chunk("PLTE", Buffer.alloc(3)), END), /not where it belongs/);
  rejects(file(header(1, 1, 8, 3), chunk("PLTE", Buffer.alloc(4)), DATA, END), /palette has 4 bytes/);
  rejects(file(header(1, 1, 8, 3), chunk("PLTE", Buffer.alloc(771)), DATA, END), /palette has 771 bytes/);
  rejects(file(head, chunk("WHAT", Buffer.alloc(3)), DATA, END), /a chunk is unknown/);
  rejects(file(head, DATA, chunk("tEXt", Buffer.alloc(3)), DATA, END), /not where it belongs/);
});

test("a checksum that does not hold matters where the chunk does", () => {
  const bytes = new Uint8Array(png(1, 1, 8, 2, new Uint8Array(4), chunk("tEXt", Buffer.from("note"))));
  const note = Buffer.from(bytes).indexOf("note");
  const edited = (at: number): Uint8Array<ArrayBuffer> => bytes.with(at, bytes[at]! ^ 1);
  assert.is(readPng(edited(note)).width, 1);
  rejects(edited(20), /checksum of a chunk of 13 bytes/);
  rejects(edited(Buffer.from(bytes).indexOf("IDAT") + 6), /checksum/);
});

test("a length beyond the file is not followed", () => {
  const bytes = Buffer.from(png(1, 1, 8, 2, new Uint8Array(4)));
  bytes.writeUInt32BE(0xffff_ffff, bytes.indexOf("IDAT") - 4);
  rejects(new Uint8Array(bytes), /in the middle/);
});

test.run();
