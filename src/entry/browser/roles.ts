import type { FromWorker, ToWorker } from "../../threads/protocol.js";
import { serve } from "../../threads/serve.js";
import type { MessageEnd } from "../message-worker.js";
import { type ModelContext, PROGRAMS, startModel } from "../programs.js";
import { serveTexts } from "../serve-texts.js";
import { servePictures } from "./serve-pictures.js";

/** What a worker may be for. */
export type Role = "compute" | "texts" | "pictures";

export const ROLES: Readonly<Record<Role, (end: MessageEnd) => void>> = {
  compute: serveCompute,
  texts: serveTexts,
  pictures: servePictures,
};

function serveCompute({ post, onMessage }: MessageEnd): void {
  serve<ModelContext>(
    {
      post: (message: FromWorker, transfer) => post(message, transfer),
      onMessage: (listener) => onMessage((message) => listener(message as ToWorker)),
    },
    startModel,
    PROGRAMS,
  );
}
