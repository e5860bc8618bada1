import { orAborted } from "./or-aborted.js";

interface Work<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/** Work that several callers wait for, by key: it is done once, and stopped when the last of them has gone. */
export class SharedWork<T> {
  readonly #running = new Map<string, Work<T>>();

  /** What `work` resolves to, run now unless it is running. Rejects with the signal's reason at once when that aborts. */
  async run(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#start(key, work);
    shared.waiting++;
    try {
      return await (signal ? orAborted(shared.result, signal) : shared.result);
    } finally {
      if (--shared.waiting === 0) {
        this.#end(key, shared);
        // Does nothing to work that is done.
        shared.controller.abort(signal?.reason);
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Work<T> {
    const controller = new AbortController();
    const shared: Work<T> = { result: work(controller.signal), controller, waiting: 0 };
    this.#running.set(key, shared);
    const end = (): void => this.#end(key, shared);
    shared.result.then(end, end);
    return shared;
  }

  #end(key: string, shared: Work<T>): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
  }
}
