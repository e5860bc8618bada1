import type { FromWorker, WorkerHandle } from "../threads/protocol.js";
import type { MessageEnd, MessageWorker } from "./message-worker.js";
import { serveCompute } from "./serve-compute.js";

/**
 * A worker in the caller's own thread, for hosts without threads: the same messages in the same order, and the thread is busy while one of them is
 * worked on.
 *
 * A message is delivered in a turn of the event loop of its own, so an abort, a request or an input that came meanwhile is heard between two of
 * them. Nothing is copied: buffers that are given away change hands by not being used any more.
 */
export function startInProcess(serve: (end: MessageEnd) => void): MessageWorker {
  const inbox: unknown[] = [];
  let work: ((message: unknown) => void) | undefined;
  let answer: ((message: unknown) => void) | undefined;
  serve({
    // Not within the worker's own stack: what a listener throws is no failure of its work.
    post: (message) => queueMicrotask(() => answer?.(message)),
    onMessage(listener) {
      work = listener;
    },
  });
  const deliver = (): void => {
    if (inbox.length === 0) return;
    // Some hosts drop the timers of a request that has ended: what it has left here is taken by the next, before its own.
    if (inbox.length > 1) setTimeout(deliver, 0);
    work?.(inbox.shift());
  };
  return {
    post(message) {
      if (work === undefined) return;
      inbox.push(message);
      setTimeout(deliver, 0);
    },
    onMessage(listener) {
      answer = listener;
    },
    // It ends with its thread, which is the caller's.
    onEnd() {},
    async terminate() {
      // The listener holds the context, and that the memory.
      work = undefined;
      answer = undefined;
      inbox.length = 0;
    },
  };
}

/** A compute worker in the caller's own thread. */
export function startInProcessWorker(): WorkerHandle {
  return computeHandle(startInProcess(serveCompute));
}

/** A worker that does `serveCompute`, as `Pool` takes it. */
export function computeHandle(worker: MessageWorker): WorkerHandle {
  return {
    post: (message, transfer) => worker.post(message, transfer),
    onMessage: (listener) => worker.onMessage((message) => listener(message as FromWorker)),
    onEnd: (listener) => worker.onEnd((error) => listener(String(error))),
    terminate: () => worker.terminate(),
  };
}
