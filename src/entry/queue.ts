import { Calls } from "./calls.js";

/** Runs tasks one after another, in the order they came. After its calls were ended everything running, queued or new rejects with the reason. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();
  readonly #calls: Calls;

  /** Queues that end together share their calls. */
  constructor(calls = new Calls()) {
    this.#calls = calls;
  }

  /**
   * Rejects at once with the signal's reason when it aborts, whether the task waits or runs. The task is given a signal that also aborts when
   * all calls are ended; the next one starts when it has left.
   */
  run<T>(task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const call = new AbortController();
    const turn = this.#last.then(() => {
      call.signal.throwIfAborted();
      return task(call.signal);
    });
    this.#last = turn.catch(() => undefined);
    return new Promise((resolve, reject) => {
      call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true });
      this.#calls.enter(call, signal);
      turn.then(resolve, reject).finally(() => this.#calls.leave(call, signal));
    });
  }

  /** When the last task has left. */
  idle(): Promise<unknown> {
    return this.#last;
  }
}
