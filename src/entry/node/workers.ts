import { Worker } from "node:worker_threads";
import type { WorkerHandle } from "../../threads/protocol.js";

/** A compute worker as a worker thread. It keeps the process alive only while it is asked something. */
export function startComputeWorker(): WorkerHandle {
  // Flags of this process that a worker refuses (--input-type) or that are not meant for it stay out.
  const worker = new Worker(new URL("./compute-worker.js", import.meta.url), { execArgv: [] });
  worker.unref();
  let ended = false;
  return {
    post(message, transfer) {
      worker.ref();
      worker.postMessage(message, [...transfer]);
    },
    onMessage(listener) {
      worker.on("message", (message) => {
        // A last message may arrive while the worker is being ended, which terminate() waits for.
        if (!ended) worker.unref();
        listener(message);
      });
    },
    onEnd(listener) {
      worker.on("error", (error) => listener(error.message));
      worker.on("exit", (status) => {
        if (!ended) listener(`exit status ${status}`);
      });
    },
    async terminate() {
      ended = true;
      await worker.terminate();
    },
  };
}
