import type { FromWorker, ToWorker, WorkerHandle } from "../threads/protocol.js";
import { serve } from "../threads/serve.js";
import { type ModelContext, PROGRAMS, startModel } from "./programs.js";

/**
 * A compute worker in the caller's own thread, for hosts without threads: the same programs, the same messages in the same order, and the
 * thread is busy while one of them computes.
 *
 * A message is delivered in a turn of the event loop of its own, so an abort, a request or an input that came meanwhile is heard between two
 * programs. Nothing is copied: buffers that are given away change hands by not being used any more.
 */
export function startInProcessWorker(): WorkerHandle {
  const inbox: ToWorker[] = [];
  let work: ((message: ToWorker) => void) | undefined;
  let answer: ((message: FromWorker) => void) | undefined;
  serve<ModelContext>(
    {
      // Not within the program's own stack: what a listener throws is no failure of the program.
      post: (message) => queueMicrotask(() => answer?.(message)),
      onMessage(listener) {
        work = listener;
      },
    },
    startModel,
    PROGRAMS,
  );
  const deliver = (): void => {
    const message = inbox.shift();
    if (message !== undefined) work?.(message);
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
