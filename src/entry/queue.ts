import { JanusError } from "../errors.js";

/** Runs tasks one after another, in the order they came. After `close` everything queued or new rejects with E_DISPOSED. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Rejects with the signal's reason at once when it aborts before the task's turn. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) return Promise.reject(disposed());
    const turn = this.#last.then(() => {
      if (this.#closed) throw disposed();
      signal?.throwIfAborted();
      return task();
    });
    this.#last = turn.catch(() => undefined);
    return signal ? abortable(turn, signal) : turn;
  }

  /** Lets the running task finish or fail; the rest rejects. */
  close(): void {
    this.#closed = true;
  }

  /** When the last task has left. */
  idle(): Promise<unknown> {
    return this.#last;
  }
}

function disposed(): JanusError {
  return new JanusError("E_DISPOSED", "this model was disposed of; load it again");
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
