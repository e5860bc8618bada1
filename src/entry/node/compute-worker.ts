/** The file that a compute worker of this host runs. */
import { parentPort } from "node:worker_threads";
import type { FromWorker, ToWorker } from "../../threads/protocol.js";
import { serve } from "../../threads/serve.js";
import { type ModelContext, PROGRAMS, startModel } from "../programs.js";

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");

serve<ModelContext>(
  {
    post: (message: FromWorker, transfer) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => port.on("message", (message: ToWorker) => listener(message)),
  },
  startModel,
  PROGRAMS,
);
