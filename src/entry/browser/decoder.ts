import { JanusError, quote } from "../../errors.js";
import type { RgbImage } from "../../image/pixels.js";
import { fromWire } from "../../threads/protocol.js";
import { AskedWorker } from "../asked-worker.js";
import type { MessageWorker } from "../message-worker.js";
import { orAborted } from "../or-aborted.js";
import type { Decoded, PictureTask } from "./serve-pictures.js";

export interface Decoder {
  /** RGB of a picture's file; the bytes in it are given away. Calls queue. E_IMAGE, E_DISPOSED and others by `PictureTask`; the signal's reason. */
  decode(task: PictureTask, signal?: AbortSignal): Promise<RgbImage>;
  dispose(): Promise<void>;
}

/** The slowest valid picture takes a few seconds. */
const DECODE_MS = 40_000;

/** A decoder in a worker of its own, which starts with the first picture and is ended by an abort or a picture that takes too long. */
export function createDecoder(boot: () => MessageWorker): Decoder {
  let worker: AskedWorker | undefined;
  let disposed = false;
  let queue: Promise<unknown> = Promise.resolve();

  async function decode(task: PictureTask, signal?: AbortSignal): Promise<RgbImage> {
    signal?.throwIfAborted();
    if (disposed) throw gone(task.label);
    if (!worker?.alive) worker = new AskedWorker(boot(), died);
    const transfer = ArrayBuffer.isView(task.file) ? [task.file.buffer] : [];
    const answer = await worker.ask<Decoded>(task, {
      transfer,
      milliseconds: DECODE_MS,
      late: (time) => refusal(task.label, `no answer within ${time}; try once more, or save the picture anew`),
      signal,
    });
    if ("failure" in answer) throw fromWire(answer.failure);
    return answer.picture;
  }

  return {
    decode(task, signal) {
      const turn = queue.then(() => decode(task, signal));
      queue = turn.catch(() => {});
      return signal ? orAborted(turn, signal) : turn;
    },
    async dispose() {
      disposed = true;
      await worker?.stop(gone("a picture"));
    },
  };
}

function refusal(label: string, why: string): JanusError {
  return new JanusError("E_IMAGE", `${label}: cannot be decoded: ${why}`);
}

function gone(label: string): JanusError {
  return new JanusError("E_DISPOSED", `${label}: not decoded, the model was disposed; load it again`);
}

function died(error: unknown): JanusError {
  return new JanusError("E_INTERNAL", `the decoder's worker ended: ${quote(String(error), 200)}`, { cause: error });
}
