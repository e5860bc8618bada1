import type { FromWorker, ToWorker } from "../threads/protocol.js";
import { serve } from "../threads/serve.js";
import type { MessageEnd } from "./message-worker.js";
import { type ModelContext, PROGRAMS, startModel } from "./programs.js";

/** The worker that `Pool` asks. */
export function serveCompute({ post, onMessage }: MessageEnd): void {
  serve<ModelContext>(
    {
      post: (message: FromWorker, transfer) => post(message, transfer),
      onMessage: (listener) => onMessage((message) => listener(message as ToWorker)),
    },
    startModel,
    PROGRAMS,
  );
}
