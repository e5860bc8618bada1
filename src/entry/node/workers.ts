import { Worker } from "node:worker_threads";
import type { WorkerHandle } from "../../threads/protocol.js";

/** A compute worker as a worker thread, of another `program` for tests. It keeps the process alive only while it is asked something. */
export function startComputeWorker(program: URL = new URL("./compute-worker.js", import.meta.url)): WorkerHandle {
  // Flags of this process that a worker refuses (--input-type) or that are not meant for it stay out.
  const worker = new Worker(program, { execArgv: [] });
  worker.unref();
  let ended = false;
  // It may end before anyone listens: it is told then.
  let over: string | undefined;
  let onOver: ((reason: string) => void) | undefined;
  const end = (reason: string): void => {
    over ??= reason;
    onOver?.(reason);
  };
  worker.on("error", (error: unknown) => end(error instanceof Error ? error.message : String(error)));
  worker.on("messageerror", (error) => end(`it sent what cannot be read: ${error.message}`));
  worker.on("exit", (status) => {
    if (!ended) end(`exit status ${status}`);
  });
  return {
    post(message, transfer) {
      // In this order: what cannot be posted is never answered, and would keep the process alive.
      worker.postMessage(message, [...transfer]);
      worker.ref();
    },
    onMessage(listener) {
      worker.on("message", (message) => {
        // A last message may arrive while the worker is being ended, which terminate() waits for.
        if (!ended) worker.unref();
        listener(message);
      });
    },
    onEnd(listener) {
      onOver = listener;
      if (over !== undefined) listener(over);
    },
    async terminate() {
      ended = true;
      await worker.terminate();
    },
  };
}
