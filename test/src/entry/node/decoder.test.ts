import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDecoder, type Decoder } from "#dist/entry/node/decoder.js";
import { PICTURE_BYTES_MAX } from "#dist/entry/node/decoder-protocol.js";
import { golden, ROOT } from "../../../support/paths.js";
import { bilevel, chunk, png } from "../../../support/png.js";
import { extra, pictures, type RecordedPicture, sha256 } from "../../../support/preprocess.js";
import { refused } from "../../../support/refusal.js";

const test = suite<{ decoder: Decoder }>("entry/node/decoder");

test.before(async (context) => {
  context.decoder = createDecoder();
  await context.decoder.decode(bilevel(8, 8), "the first picture");
});
test.after(({ decoder }) => decoder.dispose());

/** No picture that is refused may take longer. */
const PROMPT_MS = 1000;

const recorded = new Map<string, RecordedPicture>([
  ...pictures.map((picture) => [`preprocess/${picture.file}`, picture] as const),
  ...extra.pictures.map((picture) => [`preprocess-extra/${picture.file}`, picture] as const),
]);

function picture(name: string): Buffer {
  return readFileSync(golden(`preprocess/images/${name}`));
}

async function refusedPromptly(decoder: Decoder, bytes: Uint8Array, pattern: RegExp): Promise<void> {
  const started = performance.now();
  const error = await refused(decoder.decode(bytes, "image 2"), "E_IMAGE", pattern);
  assert.match(error.message, /^image 2: .*; /);
  assert.ok(performance.now() - started < PROMPT_MS, "promptly");
}

/** What a promise rejects with. */
function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "was not rejected",
    (reason: unknown) => reason,
  );
}

async function equalsPillow(decoder: Decoder, path: string): Promise<void> {
  const expected = recorded.get(path);
  if (!expected) throw new Error(`${path} is not recorded`);
  const image = await decoder.decode(readFileSync(golden(path)), path);
  assert.equal([image.width, image.height], expected.size, path);
  assert.is(sha256(image.data), expected.rgb_sha256, path);
}

// ---- valid oddities, with the hash of what Pillow makes of them

test("every recorded picture is Pillow's to the byte", async ({ decoder }) => {
  assert.is(pictures.length, 34);
  assert.is(extra.pictures.length, 53);
  for (const path of recorded.keys()) await equalsPillow(decoder, path);
});

const oddities: Record<string, string[]> = {
  "I08 1x1": [
    "preprocess/images/size-1x1.png",
    "preprocess-extra/images/one-pixel.jpg",
    "preprocess-extra/images/one-pixel.webp",
  ],
  "I10 exactly 384x384": ["preprocess/images/size-384x384.png"],
  "I11 grey of 8 bits and less": [
    "preprocess/images/grey-120x90.png",
    "preprocess/images/grey-90x45.jpg",
    "preprocess-extra/images/grey2.png",
    "preprocess-extra/images/grey4.png",
  ],
  "I12 grey of 16 bits": [
    "preprocess/images/grey16-64x48.png",
    "preprocess/images/grey16-low-64x48.png",
    "preprocess-extra/images/grey16-transparent-level.png",
    "preprocess-extra/images/grey-alpha16.png",
  ],
  "I13 1 bit": ["preprocess/images/one-bit-75x33.png", "preprocess-extra/images/grey1.png"],
  "I14 palette and tRNS": [
    "preprocess/images/palette-index-transparent-90x60.png",
    "preprocess/images/palette-alpha-table-90x60.png",
    "preprocess-extra/images/palette2-transparent.png",
  ],
  "I15 colours under alpha 0": [
    "preprocess/images/rgba-hidden-80x80.png",
    "preprocess-extra/images/lossless-hidden.webp",
  ],
  "I16 RGBA of 16 bits": ["preprocess-extra/images/rgba16.png", "preprocess-extra/images/rgb16.png"],
  "I17 CMYK and YCCK": [
    "preprocess/images/cmyk-100x60.jpg",
    "preprocess-extra/images/ycck.jpg",
    "preprocess-extra/images/cmyk-without-adobe.jpg",
    "preprocess-extra/images/cmyk-icc.jpg",
  ],
  "I18 progressive": ["preprocess/images/progressive-160x120.jpg", "preprocess-extra/images/progressive420.jpg"],
  "I20 chroma subsampling": ["444", "422", "420", "440", "411"].map(
    (name) => `preprocess-extra/images/chroma${name}.jpg`,
  ),
  "I21 profiles that exchange red and green": ["jpg", "png", "webp"].map(
    (name) => `preprocess-extra/images/icc-swapped.${name}`,
  ),
  "I22 the first frame of an animation": [
    "preprocess-extra/images/animated.webp",
    "preprocess-extra/images/animated-alpha.webp",
    "preprocess-extra/images/animated-offset.webp",
    "preprocess-extra/images/animated.png",
  ],
  "I23 lossless and alpha in WebP": [
    "preprocess/images/lossless-rgba-60x90.webp",
    "preprocess-extra/images/lossless.webp",
    "preprocess-extra/images/lossy-alpha.webp",
    "preprocess-extra/images/lossy-hidden.webp",
  ],
};
for (const [name, paths] of Object.entries(oddities)) {
  test(name, async ({ decoder }) => {
    for (const path of paths) await equalsPillow(decoder, path);
  });
}

test("I09 1x20000 and 20000x1", async ({ decoder }) => {
  const levels = Uint8Array.from({ length: 20000 }, (_, i) => i % 251);
  const tall = png(
    1,
    20000,
    8,
    0,
    Uint8Array.from({ length: 40000 }, (_, i) => (i % 2 ? levels[i >> 1]! : 0)),
  );
  const wide = png(20000, 1, 8, 0, Uint8Array.from([0, ...levels]));
  for (const [bytes, width, height] of [
    [tall, 1, 20000],
    [wide, 20000, 1],
  ] as const) {
    const image = await decoder.decode(bytes, "image 1");
    assert.equal([image.width, image.height], [width, height]);
    assert.ok(image.data.every((value, i) => value === levels[Math.floor(i / 3)]));
  }
});

test("I19 every EXIF orientation leaves the pixels where they are", async ({ decoder }) => {
  const plain = sharp(picture("rgb-waves-200x150.png"));
  for (const format of ["jpeg", "png", "webp"] as const) {
    const upright = await decoder.decode(await plain.clone().toFormat(format).toBuffer(), "image 1");
    for (let orientation = 1; orientation <= 8; orientation++) {
      const tagged = await plain.clone().withMetadata({ orientation }).toFormat(format).toBuffer();
      assert.is((await sharp(tagged).metadata()).orientation, orientation);
      const image = await decoder.decode(tagged, "image 1");
      assert.equal([image.width, image.height], [200, 150]);
      assert.is(sha256(image.data), sha256(upright.data), `${format} ${orientation}`);
    }
  }
});

test("I28 sixty thousand segments in a JPEG", async ({ decoder }) => {
  const jpeg = picture("chroma444-97x61.jpg");
  const comments = Buffer.alloc(60_000 * 4, "fffe0002", "hex");
  const image = await decoder.decode(Buffer.concat([jpeg.subarray(0, 2), comments, jpeg.subarray(2)]), "image 1");
  assert.is(sha256(image.data), recorded.get("preprocess/images/chroma444-97x61.jpg")!.rgb_sha256);
});

test("I29 a hundred megabytes behind a zTXt and an iCCP chunk are never expanded", async ({ decoder }) => {
  const bomb = deflateSync(new Uint8Array(100_000_000), { level: 1 });
  for (const kind of ["zTXt", "iCCP"]) {
    const data = Buffer.concat([Buffer.from("bomb\0\0"), bomb]);
    const started = performance.now();
    const image = await decoder.decode(png(2, 1, 8, 0, new Uint8Array([0, 5, 6]), chunk(kind, data)), "image 1");
    assert.ok(performance.now() - started < PROMPT_MS);
    assert.equal([...image.data], [5, 5, 5, 6, 6, 6]);
  }
});

test("the largest picture, 8192x8192", async ({ decoder }) => {
  const image = await decoder.decode(bilevel(8192, 8192), "image 1");
  assert.equal([image.width, image.height, image.data.length], [8192, 8192, 8192 * 8192 * 3]);
});

// ---- bad pictures

test("I01 empty", ({ decoder }) => refusedPromptly(decoder, new Uint8Array(), /got no bytes/));

test("I02 a text file", ({ decoder }) =>
  refusedPromptly(decoder, Buffer.from("not a picture\n"), /got 14 bytes that begin with/));

test("I03 a truncated JPEG", async ({ decoder }) => {
  for (const name of ["china-640x427.jpg", "progressive-160x120.jpg", "cmyk-100x60.jpg"]) {
    const jpeg = picture(name);
    for (const share of [0.1, 0.5, 0.99]) {
      await refusedPromptly(
        decoder,
        jpeg.subarray(0, jpeg.length * share),
        /cannot be decoded: (VipsJpeg|Input buffer)/,
      );
    }
  }
});

test("I04 a truncated PNG, a truncated WebP", async ({ decoder }) => {
  for (const name of ["rgb-noise-100x70.png", "grey16-64x48.png", "lossy-150x100.webp"]) {
    const bytes = picture(name);
    for (const share of [0.1, 0.5, 0.9]) {
      await refusedPromptly(decoder, bytes.subarray(0, bytes.length * share), /cannot be decoded: /);
    }
  }
});

test("I05 a bad CRC in IHDR and in IDAT", async ({ decoder }) => {
  const sound = picture("rgb-noise-100x70.png");
  for (const at of [8 + 8 + 13, sound.length - 12 - 4]) {
    const bad = Buffer.from(sound);
    bad[at]! ^= 1;
    await refusedPromptly(decoder, bad, /cannot be decoded: /);
  }
});

test("I06 a PNG that claims a million by a million", async ({ decoder }) => {
  await refusedPromptly(
    decoder,
    png(1_000_000, 1_000_000, 8, 2, new Uint8Array(100)),
    /1000000x1000000 = 1000000000000/,
  );
  await refusedPromptly(decoder, png(2 ** 31 - 1, 1, 8, 2, new Uint8Array(100)), /cannot be decoded: /);
});

test("I07 a small file of 81 megapixels", async ({ decoder }) => {
  const bomb = bilevel(9000, 9000);
  assert.ok(bomb.length < 240_000);
  await refusedPromptly(decoder, bomb, /expected at most 67108864 pixels, got 9000x9000 = 81000000/);
  await refusedPromptly(decoder, bilevel(8193, 8192), /got 8193x8192/);
});

test("I22 GIF, I25 AVIF, I26 TIFF", async ({ decoder }) => {
  const square = sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } });
  await refusedPromptly(decoder, await square.clone().gif().toBuffer(), /got a GIF/);
  await refusedPromptly(decoder, await square.clone().avif().toBuffer(), /got an AVIF/);
  await refusedPromptly(decoder, await square.clone().tiff().toBuffer(), /got a TIFF/);
});

test("I24 SVG, with an external entity and with a billion laughs", async ({ decoder }) => {
  const entity = `<!DOCTYPE svg [<!ENTITY secret SYSTEM "file:///etc/passwd">]><svg><text>&secret;</text></svg>`;
  const lines = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`);
  const laughs = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">${lines.join("")}]><svg><text>&l9;</text></svg>`;
  await refusedPromptly(decoder, Buffer.from("<svg/>"), /got an SVG/);
  await refusedPromptly(decoder, Buffer.from(entity), /got XML or SVG/);
  await refusedPromptly(decoder, Buffer.from(laughs), /got XML or SVG/);
});

test("I27 another format behind JPEG's first bytes", ({ decoder }) =>
  refusedPromptly(decoder, Buffer.from("\xff\xd8\xff%PDF-1.7\n%%EOF\n", "latin1"), /cannot be decoded: /));

test("more than 64 MB", ({ decoder }) => {
  const bytes = new Uint8Array(PICTURE_BYTES_MAX + 1);
  bytes.set([0xff, 0xd8, 0xff]);
  return refusedPromptly(decoder, bytes, /at most 67108864 bytes, got 67108865/);
});

// ---- queue, abort, dispose

test("a queue keeps its order, and one bad picture in it harms no other", async ({ decoder }) => {
  const order: number[] = [];
  const inputs = [picture("size-1x1.png"), picture("china-640x427.jpg").subarray(0, 9000), picture("size-96x41.png")];
  const outcomes = await Promise.allSettled(
    inputs.map((bytes, i) => decoder.decode(bytes, `image ${i + 1}`).finally(() => order.push(i))),
  );
  assert.equal(order, [0, 1, 2]);
  assert.equal(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

test("F19 abort before, in the queue and in the middle: the signal's reason, at once, and the decoder goes on", async ({
  decoder,
}) => {
  const reason = new Error("enough");
  assert.is(await rejection(decoder.decode(bilevel(8, 8), "image 1", AbortSignal.abort(reason))), reason);

  const active = new AbortController();
  const queued = new AbortController();
  const outcomes = Promise.all([
    rejection(decoder.decode(bilevel(8192, 8192), "image 1", active.signal)),
    rejection(decoder.decode(bilevel(8, 8), "image 2", queued.signal)),
    decoder.decode(bilevel(16, 8), "image 3"),
  ]);
  queued.abort(reason);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const started = performance.now();
  active.abort(reason);
  const [first, second, third] = await outcomes;
  assert.is(first, reason);
  assert.is(second, reason);
  assert.is(third.width, 16);
  // The third picture needs a new process; the two rejections do not wait for it.
  assert.ok(performance.now() - started < 2000);
});

test("F19 an abort rejects within 200 ms", async ({ decoder }) => {
  const controller = new AbortController();
  const decoding = decoder.decode(bilevel(8192, 8192), "image 1", controller.signal);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = performance.now();
  controller.abort();
  assert.is(await rejection(decoding), controller.signal.reason);
  assert.ok(performance.now() - started < 200);
});

test("an abort afterwards changes nothing", async ({ decoder }) => {
  const controller = new AbortController();
  const image = await decoder.decode(bilevel(8, 8), "image 1", controller.signal);
  controller.abort();
  assert.is(image.width, 8);
  assert.is((await decoder.decode(bilevel(8, 8), "image 1")).width, 8);
});

test("F21 dispose rejects what is under way and what comes later", async () => {
  const decoder = createDecoder();
  const active = decoder.decode(bilevel(8, 8), "image 1");
  const queued = decoder.decode(bilevel(8, 8), "image 2");
  const rejected = Promise.all([
    refused(active, "E_DISPOSED", /^image 1: /),
    refused(queued, "E_DISPOSED", /^image 2: /),
  ]);
  await Promise.all([decoder.dispose(), decoder.dispose(), rejected]);
  await refused(decoder.decode(bilevel(8, 8), "image 3"), "E_DISPOSED", /^image 3: /);
  await createDecoder().dispose();
});

test("a process with an idle decoder ends by itself, and prints nothing of its own", () => {
  const program = `
    import { createDecoder } from "#dist/entry/node/decoder.js";
    import { readFileSync } from "node:fs";
    const image = await createDecoder().decode(readFileSync("test/golden/preprocess/images/size-37x53.png"), "image 1");
    console.log(image.width, image.height);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal([status, stdout, stderr], [0, "37 53\n", ""]);
});

// ---- a process that fails

/** What the faulty process is told to do; it passes for a JPEG. */
const order = (fault: string) => Buffer.from(`\xff\xd8\xff${fault}`, "latin1");
const faulty = new URL("../../../support/faulty-decoder.js", import.meta.url);

const deaths: [fault: string, pattern: RegExp][] = [
  ["exit", /the decoder process ended with status 1/],
  ["kill", /the decoder process was ended by SIGKILL/],
  ["segfault", /the decoder process was ended by SIGSEGV/],
  ["half an answer", /the decoder process ended with status 0/],
  ["wrong size", /the decoder process sent kind 2, 2x2, 11 bytes/],
  ["no pixels", /the decoder process sent kind 2, 0x7, 0 bytes/],
  ["too much", /the decoder process sent a frame of 4294967295 bytes, limit 201326592/],
  ["unknown kind", /the decoder process sent kind 77/],
  ["refuse", /cannot be decoded: \[31mred {1,2}bell; give/],
  ["flood", /x{200}…/],
];
for (const [fault, pattern] of deaths) {
  test(`F17 F18 the process answers with "${fault}": that picture is refused, the next is decoded`, async () => {
    const decoder = createDecoder({ program: faulty });
    await refused(decoder.decode(order(fault), "image 1"), "E_IMAGE", pattern);
    const image = await decoder.decode(order("pixels"), "image 2");
    assert.equal([...image.data], [1, 2, 3]);
    await decoder.dispose();
  });
}

test("a process that hangs is killed at the deadline", async () => {
  const decoder = createDecoder({ program: faulty, deadline: 1500 });
  await decoder.decode(order("pixels"), "image 1");
  await refused(decoder.decode(order("hang"), "image 2"), "E_IMAGE", /^image 2: .*no answer within 1.5 s/);
  assert.is((await decoder.decode(order("pixels"), "image 3")).width, 1);
  await decoder.dispose();
});

test("a process that closes its input under a large picture does not harm the parent", async () => {
  const decoder = createDecoder({ program: faulty, deadline: 1500 });
  await decoder.decode(order("pixels"), "image 1");
  await decoder.decode(order("deaf"), "image 2");
  const large = new Uint8Array(PICTURE_BYTES_MAX);
  large.set(order("pixels"));
  await refused(decoder.decode(large, "image 3"), "E_IMAGE", /^image 3: .*no answer within 1.5 s/);
  assert.is((await decoder.decode(order("pixels"), "image 4")).width, 1);
  await decoder.dispose();
});

test("a second answer to one picture is never taken for the next one's", async () => {
  const decoder = createDecoder({ program: faulty });
  await decoder.decode(order("twice"), "image 1");
  await new Promise((resolve) => setTimeout(resolve, 100));
  await refused(decoder.decode(order("refuse"), "image 2"), "E_IMAGE", /red/);
  await decoder.dispose();
});

test("what the process prints does not reach this one", () => {
  const program = `
    import { createDecoder } from "#dist/entry/node/decoder.js";
    const decoder = createDecoder({ program: new URL(${JSON.stringify(faulty.href)}) });
    await decoder.decode(Buffer.from("\\xff\\xd8\\xffnoise", "latin1"), "image 1");
    await decoder.dispose();`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal([status, stdout, stderr], [0, "", ""]);
});

test("a debugger's flags are not inherited, other options are", () => {
  const program = `
    import { createDecoder } from "#dist/entry/node/decoder.js";
    const decoder = createDecoder({ program: new URL(${JSON.stringify(faulty.href)}) });
    const error = await decoder.decode(Buffer.from("\\xff\\xd8\\xffarguments", "latin1"), "image 1").catch((error) => error);
    console.log(error.message);
    await decoder.dispose();`;
  const { stdout } = spawnSync(process.execPath, ["--no-deprecation", "--input-type=module", "--eval", program], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 20_000,
    env: { ...process.env, NODE_OPTIONS: "--inspect-port=0 --no-warnings --inspect=0" },
  });
  assert.match(stdout, /cannot be decoded: --expose-gc +--no-warnings;/);
});

test("a host without sharp, or without processes, is E_UNSUPPORTED and not the picture's fault", async () => {
  const decoder = createDecoder({ program: faulty });
  await refused(
    decoder.decode(order("unusable"), "image 1"),
    "E_UNSUPPORTED",
    /sharp 0\.30\.0 is installed; install sharp/,
  );
  await decoder.dispose();
  const nowhere = createDecoder({ program: new URL("file:///nowhere/at/all/decoder.js") });
  await refused(nowhere.decode(order("pixels"), "image 1"), "E_UNSUPPORTED", /ENOENT/);
  await nowhere.dispose();
});

test.run();
