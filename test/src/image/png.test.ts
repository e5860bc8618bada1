import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp, { type Sharp } from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDecoder, type Decoder } from "#dist/entry/node/decoder.js";
import { JanusError } from "#dist/errors.js";
import { inflatedByTurns } from "#dist/image/inflate.js";
import { decodePng } from "#dist/image/png.js";
import { golden } from "../../support/paths.js";
import { bilevel, chunk, deflatedPng, png } from "../../support/png.js";
import { extra, pictures, sha256 } from "../../support/preprocess.js";
import { refused } from "../../support/refusal.js";

const test = suite<{ decoder: Decoder }>("image/png");

test.before((context) => {
  context.decoder = createDecoder();
});
test.after(({ decoder }) => decoder.dispose());

const PNG_OF = /\.png$/;
/** Samples a pixel and depths of every colour type. */
const TYPES = [
  { colourType: 0, samples: 1, depths: [1, 2, 4, 8, 16] },
  { colourType: 2, samples: 3, depths: [8, 16] },
  { colourType: 3, samples: 1, depths: [1, 2, 4, 8] },
  { colourType: 4, samples: 2, depths: [8, 16] },
  { colourType: 6, samples: 4, depths: [8, 16] },
];

const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

/** Columns and rows of each reduced picture, counted pixel by pixel off the pattern of 8 x 8 in the standard. */
function passes(width: number, height: number, interlaced: boolean): [number, number][] {
  if (!interlaced) return [[width, height]];
  const pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"];
  return [1, 2, 3, 4, 5, 6, 7].map((pass) => {
    const [columns, rows] = [new Set<number>(), new Set<number>()];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (pattern[y % 8]?.[x % 8] === `${pass}`) {
          columns.add(x);
          rows.add(y);
        }
    return [columns.size, rows.size] as [number, number];
  });
}

/** A PNG of noise, every row with another filter. */
function noisyPng(
  { colourType, samples }: (typeof TYPES)[number],
  depth: number,
  interlaced: boolean,
  [width, height]: readonly [number, number],
): Buffer {
  const rows: Uint8Array[] = [];
  let filter = 0;
  for (const [columns, count] of passes(width, height, interlaced)) {
    for (let row = 0; columns > 0 && row < count; row++, filter++)
      rows.push(Uint8Array.of(filter % 5), noise(Math.ceil((columns * samples * depth) / 8), filter + depth));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, interlaced ? 1 : 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    ...(colourType === 3 ? [chunk("PLTE", noise(3 * 2 ** depth, 7))] : []),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

async function equalsNode(decoder: Decoder, bytes: Uint8Array, what: string): Promise<void> {
  const [ours, theirs] = [await decodePng(own(bytes), what), await decoder.decode(own(bytes), what)];
  assert.equal([ours.width, ours.height], [theirs.width, theirs.height], what);
  assert.ok(Buffer.from(ours.data).equals(theirs.data), `${what}: pixels`);
}

test("every recorded PNG is Pillow's to the byte", async () => {
  let count = 0;
  for (const [folder, list] of Object.entries({ preprocess: pictures, "preprocess-extra": extra.pictures })) {
    for (const { file, size, rgb_sha256 } of list.filter((picture) => PNG_OF.test(picture.file))) {
      const { width, height, data } = await decodePng(own(readFileSync(golden(`${folder}/${file}`))), file);
      assert.equal([width, height], size, file);
      assert.is(sha256(data), rgb_sha256, file);
      count++;
    }
  }
  assert.is(count, 49);
});

for (const type of TYPES) {
  test(`colour type ${type.colourType}: every depth, filter and interlace is as in Node`, async ({ decoder }) => {
    for (const depth of type.depths) {
      for (const interlaced of [false, true]) {
        for (const size of [
          [1, 1],
          [3, 2],
          [5, 9],
          [17, 8],
          [40, 33],
        ] as const)
          await equalsNode(decoder, noisyPng(type, depth, interlaced, size), `${depth} bits, ${interlaced}, ${size}`);
      }
    }
  });
}

test("what sharp writes is as in Node: palettes, alpha, 16 bits, interlace", async ({ decoder }) => {
  const { data, info } = await sharp(golden("images/china-150x100.png")).raw().toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const open = (): Sharp => sharp(data, { raw });
  for (const progressive of [false, true]) {
    const made = {
      rgb: open(),
      rgba: open().ensureAlpha(0.3),
      grey: open().toColourspace("b-w"),
      rgb16: open().toColourspace("rgb16"),
      grey16: open().toColourspace("grey16"),
    };
    for (const [name, picture] of Object.entries(made))
      await equalsNode(decoder, await picture.png({ progressive }).toBuffer(), `${name}, ${progressive}`);
    for (const colours of [2, 4, 16, 256])
      await equalsNode(decoder, await open().png({ palette: true, colours, progressive }).toBuffer(), `${colours}`);
  }
});

test("data in many chunks, chunks that are not known, and bytes behind the end change nothing", async () => {
  const plain = noisyPng(TYPES[1]!, 8, false, [20, 20]);
  const expected = await decodePng(own(plain), "plain");
  const at = plain.indexOf("IDAT") - 4;
  const deflated = plain.subarray(at + 8, at + 8 + plain.readUInt32BE(at));
  const parts = [...deflated].map((byte) => chunk("IDAT", Uint8Array.of(byte)));
  const others = [chunk("tEXt", Buffer.from("a")), chunk("IDAT", Buffer.alloc(0))];
  const split = Buffer.concat([plain.subarray(0, at), ...others, ...parts, chunk("IEND", Buffer.alloc(0)), plain]);
  assert.ok(Buffer.from((await decodePng(own(split), "split")).data).equals(expected.data));
});

test("sizes are refused before there is memory for them", async () => {
  await refused(decodePng(own(bilevel(8193, 8192)), "image 1"), "E_IMAGE", /^image 1: .*at most 67108864 pixels/);
  const claims = png(8192, 8192, 8, 2, new Uint8Array(100));
  await refused(decodePng(own(claims), "image 1"), "E_IMAGE", /bytes of data cannot hold 201334784/);
  await refused(decodePng(own(png(0, 1, 8, 2, new Uint8Array(4))), "image 1"), "E_IMAGE", /width of 1 to/);
});

test("a bomb behind the last row is not unfolded", async () => {
  const bomb = png(1, 1, 8, 2, new Uint8Array(300e6));
  const started = performance.now();
  assert.equal([...(await decodePng(own(bomb), "image 1")).data], [0, 0, 0]);
  assert.ok(performance.now() - started < 200, "promptly");
});

test("what is cut short is refused, wherever", async () => {
  const whole = noisyPng(TYPES[1]!, 8, true, [20, 20]);
  for (let length = 8; length < whole.length; length += 13)
    await refused(decodePng(own(whole.subarray(0, length)), "image 1"), "E_IMAGE", /^image 1: cannot be decoded: .*; /);
  await refused(decodePng(own(png(9, 9, 8, 2, new Uint8Array(27))), "image 1"), "E_IMAGE", /before the last row/);
});

test("damage is E_IMAGE or a picture, and nothing else", async () => {
  const whole = noisyPng(TYPES[2]!, 4, true, [20, 20]);
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 9), fc.integer({ min: 1, max: 255 })), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(damage, fc.boolean(), async (edits, mended) => {
      const bytes = own(whole);
      for (const [at, bits] of edits) bytes[8 + at]! ^= bits;
      const file = mended ? withChecksums(bytes) : bytes;
      await decodePng(file, "image 1").catch((error: unknown) => {
        assert.instance(error, JanusError);
        assert.is((error as JanusError).code, "E_IMAGE");
      });
    }),
    { numRuns: 300 },
  );
});

/** The same chunks with checksums that hold: damage that only the content shows. */
function withChecksums(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const buffer = Buffer.from(bytes);
  const chunks: Buffer[] = [buffer.subarray(0, 8)];
  for (let at = 8; at + 12 <= buffer.length; ) {
    const length = buffer.readUInt32BE(at);
    const end = Math.min(at + 8 + length, buffer.length);
    chunks.push(chunk(buffer.toString("latin1", at + 4, at + 8), buffer.subarray(at + 8, end)));
    at = end + 4;
  }
  return own(Buffer.concat(chunks));
}

test("inflated by turns it is the same picture; what is damaged or cut ends; what follows the last row is not inflated", async () => {
  for (const size of [
    [1, 1],
    [300, 200],
  ] as const) {
    const bytes = own(noisyPng(TYPES[1]!, 8, false, size));
    assert.equal(await decodePng(bytes, "image", inflatedByTurns), await decodePng(bytes, "image"));
  }
  const of = (data: Uint8Array): Uint8Array<ArrayBuffer> => own(deflatedPng(16, 16, 8, 2, data));
  // 100 MB of zeros, of which the picture is the first 784.
  const bomb = deflateSync(Buffer.alloc(100_000_000));
  const started = performance.now();
  const { data } = await decodePng(of(bomb), "image", inflatedByTurns);
  assert.ok(data.every((level) => level === 0));
  assert.ok(performance.now() - started < 2000);
  for (const data of [deflateSync(Buffer.alloc(783)), bomb.subarray(0, 2), Buffer.from("damaged")])
    await refused(decodePng(of(data), "image", inflatedByTurns), "E_IMAGE", /cannot be decoded/);
});

test.run();
