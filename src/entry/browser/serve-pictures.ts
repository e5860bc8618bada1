import { JanusError } from "../../errors.js";
import { decodeDataUrl } from "../../image/data-url.js";
import { PICTURE_BYTES_MAX, type RgbImage } from "../../image/pixels.js";
import type { MessageEnd } from "../message-worker.js";
import type { Failure } from "../serve-texts.js";
import { decodePicture } from "./decode-picture.js";

/** What is asked: a picture's file, whatever holds it. */
export interface PictureTask {
  /** A data: URL, a Blob, or bytes. */
  readonly file: string | Blob | Uint8Array<ArrayBuffer>;
  /** What messages call it. */
  readonly label: string;
}

export type Decoded = { readonly picture: RgbImage } | { readonly failure: Failure };

/** The worker that `decoder.ts` asks: one picture at a time, one reply to each. */
export function servePictures(end: MessageEnd): void {
  end.onMessage((message) => {
    void decoded(message as PictureTask).then((reply) =>
      end.post(reply, "picture" in reply ? [reply.picture.data.buffer] : []),
    );
  });
}

async function decoded({ file, label }: PictureTask): Promise<Decoded> {
  try {
    return { picture: await decodePicture(await bytesOf(file, label), label) };
  } catch (error) {
    if (error instanceof JanusError)
      return { failure: { code: error.code, message: error.message, origin: error.origin } };
    return { failure: { code: "E_INTERNAL", message: `${label}: decoding failed: ${String(error)}` } };
  }
}

async function bytesOf(file: PictureTask["file"], label: string): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof file === "string") return decodeDataUrl(file, label, PICTURE_BYTES_MAX);
  if (!(file instanceof Blob)) return file;
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    throw new JanusError(
      "E_IO",
      `${label}: expected to read a Blob of ${file.size} bytes, and it failed; give it anew`,
      { cause, origin: "input" },
    );
  }
}
