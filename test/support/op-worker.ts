/** A worker thread that calls ops. */
import { parentPort } from "node:worker_threads";
import type { FromWorker, ToWorker } from "#dist/threads/protocol.js";
import { serve } from "#dist/threads/serve.js";
import { callOp, startOps } from "./op-programs.js";

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
serve(
  {
    post: (message: FromWorker, transfer) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => port.on("message", (message: ToWorker) => listener(message)),
  },
  startOps,
  { call: callOp },
);
