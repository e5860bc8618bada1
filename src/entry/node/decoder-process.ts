/**
 * The program of the decoder's child process: encoded pictures in on stdin, RGB out on REPLY_DESCRIPTOR, one at a time.
 *
 * A process and not a worker thread, because libvips decodes hostile bytes in native code: a fault there kills what it runs in. It
 * ends when stdin closes, so it never outlives its parent.
 */
import { Socket } from "node:net";
import type sharpModule from "sharp";
import type { SharpOptions } from "sharp";
import { PIXELS_MAX, type RgbImage, rgbFromCmyk, rgbFromGrey16, sizeFault } from "../../image/pixels.js";
import {
  DECODE_SECONDS,
  FRAME,
  FrameReader,
  frameHeader,
  PICTURE_BYTES_MAX,
  REPLY_DESCRIPTOR,
} from "./decoder-protocol.js";

/** The first release whose libvips, libheif and libwebp have no published fault: GHSA-rgj7-g3m4-5g8c was mended in it. */
const SHARP_MIN = [0, 35, 4] as const;

/** Loaders of encoded pictures in memory; every other one is blocked, those that open paths included. */
const LOADERS = ["VipsForeignLoadJpegBuffer", "VipsForeignLoadPngBuffer", "VipsForeignLoadWebpBuffer"];

/** Where the header of a PNG has its colour type, and the type that is grey with an alpha channel. */
const PNG_COLOUR_TYPE_AT = 25;
const PNG_GREY_ALPHA = 4;

/** Pillow neither rotates by EXIF nor applies a colour profile; and of an animation it takes the first frame. */
const OPTIONS: SharpOptions = {
  limitInputPixels: PIXELS_MAX,
  sequentialRead: true,
  failOn: "error",
  autoOrient: false,
  ignoreIcc: true,
  animated: false,
};

type Sharp = typeof sharpModule;

async function openSharp(): Promise<Sharp> {
  const { default: sharp } = await import("sharp");
  const version = sharp.versions.sharp ?? "unknown";
  const parts = version.split(".").map((part) => Number.parseInt(part, 10));
  const differing = SHARP_MIN.findIndex((minimum, i) => parts[i] !== minimum);
  if (differing >= 0 && !(parts[differing]! > SHARP_MIN[differing]!)) {
    throw new Error(`sharp ${version} is installed, at least ${SHARP_MIN.join(".")} is needed`);
  }
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: LOADERS });
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

/** Pillow's `convert("RGB")` of the first frame. */
async function decode(sharp: Sharp, bytes: Uint8Array): Promise<RgbImage> {
  // Only the header is read here, so libvips' limit is left to sizeFault, whose message has the numbers.
  const { width, height, space } = await sharp(bytes, { ...OPTIONS, limitInputPixels: false }).metadata();
  const fault = sizeFault(width, height);
  if (fault !== undefined) throw new Error(fault);
  const picture = sharp(bytes, OPTIONS).timeout({ seconds: DECODE_SECONDS });
  const data = packed(await rgb());
  if (data.length !== width * height * 3) {
    throw new Error(`expected ${width * height * 3} bytes of RGB, libvips gave ${data.length}`);
  }
  return { width, height, data };

  async function rgb(): Promise<Uint8Array> {
    if (space === "cmyk") {
      return rgbFromCmyk(await picture.pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer());
    }
    if (space === "grey16") {
      const grey = await picture.removeAlpha().toColourspace("grey16").raw({ depth: "ushort" }).toBuffer();
      const levels = new Uint16Array(grey.buffer, grey.byteOffset, grey.length / 2);
      return rgbFromGrey16(levels, bytes[PNG_COLOUR_TYPE_AT] === PNG_GREY_ALPHA ? "high byte" : "clipped");
    }
    return picture.removeAlpha().toColourspace("srgb").raw().toBuffer();
  }
}

/** sharp's buffers are never shared memory, which their type leaves open. */
function packed(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return data as Uint8Array<ArrayBuffer>;
}

const replies = new Socket({ fd: REPLY_DESCRIPTOR, readable: false, writable: true });
const leave = () => process.kill(process.pid, "SIGKILL");

function reply(kind: number, width: number, height: number, payload: Uint8Array): void {
  replies.write(frameHeader(kind, width, height, payload.length));
  // Nothing else makes garbage here, so the picture would lie about until the next one. It is free a turn after it is written.
  replies.write(payload, () => setImmediate(() => globalThis.gc?.()));
}

async function answer(sharp: Promise<Sharp>, bytes: Uint8Array): Promise<void> {
  let opened: Sharp;
  try {
    opened = await sharp;
  } catch (error) {
    return reply(FRAME.unusable, 0, 0, Buffer.from(String((error as Error).message)));
  }
  try {
    const { width, height, data } = await decode(opened, bytes);
    reply(FRAME.pixels, width, height, data);
  } catch (error) {
    reply(FRAME.refused, 0, 0, Buffer.from(String((error as Error).message)));
  }
}

// Ctrl-C reaches the whole process group; the parent decides what becomes of the picture.
process.on("SIGINT", () => {});
// Not process.exit, which waits for libvips' threads.
process.stdin.on("close", leave);
replies.on("error", leave);

const sharp = openSharp();
sharp.catch(() => {});
const pictures = new FrameReader(PICTURE_BYTES_MAX, (frame) => void answer(sharp, frame.payload));
process.stdin.on("data", (chunk: Buffer) => pictures.push(chunk));
