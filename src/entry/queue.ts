import { JanusError } from "../errors.js";

/** Runs tasks one after another, in the order they came. After `close` everything running, queued or new rejects with E_DISPOSED. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #calls = new Set<AbortController>();

  /**
   * Rejects at once with the signal's reason when it aborts, whether the task waits or runs. The task is given a signal that also aborts when
   * the queue is closed; the next one starts when it has left.
   */
  run<T>(task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) return Promise.reject(disposed());
    const call = new AbortController();
    const turn = this.#last.then(() => {
      call.signal.throwIfAborted();
      return task(call.signal);
    });
    this.#last = turn.catch(() => undefined);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => call.abort(signal?.reason);
      call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true });
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted) onAbort();
      this.#calls.add(call);
      turn.then(resolve, reject).finally(() => {
        signal?.removeEventListener("abort", onAbort);
        this.#calls.delete(call);
      });
    });
  }

  /** Stops the running task; the rest rejects. */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.abort(disposed());
  }

  /** When the last task has left. */
  idle(): Promise<unknown> {
    return this.#last;
  }
}

function disposed(): JanusError {
  return new JanusError("E_DISPOSED", "this model was disposed of; load it again");
}
