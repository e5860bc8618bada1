import { JanusError } from "../errors.js";

/** Runs tasks one after another, in the order they came. After `close` everything running, queued or new rejects with E_DISPOSED. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Calls under way by the caller's signal, which is listened to once: past ten listeners Node warns of a leak. */
  readonly #calls = new Map<AbortSignal | undefined, Set<AbortController>>();

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
      call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true });
      this.#enter(call, signal);
      turn.then(resolve, reject).finally(() => this.#leave(call, signal));
    });
  }

  /** Stops the running task; the rest rejects. */
  close(): void {
    this.#closed = true;
    for (const calls of this.#calls.values()) for (const call of calls) call.abort(disposed());
  }

  /** When the last task has left. */
  idle(): Promise<unknown> {
    return this.#last;
  }

  #enter(call: AbortController, signal: AbortSignal | undefined): void {
    const calls = this.#calls.get(signal) ?? new Set();
    this.#calls.set(signal, calls.add(call));
    if (signal?.aborted) call.abort(signal.reason);
    else if (calls.size === 1) signal?.addEventListener("abort", this.#onAbort);
  }

  #leave(call: AbortController, signal: AbortSignal | undefined): void {
    const calls = this.#calls.get(signal);
    calls?.delete(call);
    if (calls?.size !== 0) return;
    this.#calls.delete(signal);
    signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (event: Event): void => {
    const signal = event.target as AbortSignal;
    for (const call of this.#calls.get(signal) ?? []) call.abort(signal.reason);
  };
}

function disposed(): JanusError {
  return new JanusError("E_DISPOSED", "this model was disposed of; load it again");
}
