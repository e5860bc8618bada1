import { JanusError } from "../errors.js";
import type { Items } from "./ahead.js";
import { ahead } from "./ahead.js";
import { Calls } from "./calls.js";
import { orAborted } from "./or-aborted.js";
import { Queue } from "./queue.js";

/**
 * When a model's calls do what: computing in one queue, and beside it, in another, what is made ready for it. Tasks beside never wait
 * for computing. After `close` everything running, queued or new rejects with E_DISPOSED.
 */
export class Schedule {
  readonly #calls = new Calls();
  readonly #computing = new Queue(this.#calls);
  readonly #beside = new Queue(this.#calls);

  /** A call in its turn, which it may also end itself, by aborting. */
  run<T>(task: (call: AbortController) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#computing.run(async (turn) => {
      const call = new AbortController();
      this.#calls.enter(call, turn);
      try {
        return await task(call);
      } finally {
        this.#calls.leave(call, turn);
      }
    }, signal);
  }

  /** Makes something ready while another call may compute. */
  beside<T>(task: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#beside.run(task, signal);
  }

  /**
   * Makes each item ready beside the computing of the one before, and computes it when it is asked for and its turn has come. `compute`
   * calls `last` when nothing more has to be made ready for its own item, so that the next is begun.
   */
  async *stream<T, Made, Result>(
    items: Items<T>,
    make: (item: T, index: number, signal: AbortSignal) => Promise<Made>,
    compute: (made: Made, call: AbortController, last: () => void) => Promise<Result>,
    signal?: AbortSignal,
  ): AsyncGenerator<Result, void, undefined> {
    const call = new AbortController();
    this.#calls.enter(call, signal);
    let free: Promise<void> = Promise.resolve();
    const readied = async (item: T, index: number): Promise<{ readonly made: Made; readonly last: () => void }> => {
      await orAborted(free, call.signal);
      const made = await this.beside((turn) => make(item, index, turn), call.signal);
      let last = (): void => {};
      free = new Promise((resolve) => {
        last = resolve;
      });
      return { made, last };
    };
    try {
      for await (const { made, last } of ahead(items, readied, call)) {
        const result = await this.run((own) => compute(made, own, last), signal);
        last();
        yield result;
      }
    } finally {
      this.#calls.leave(call, signal);
    }
  }

  close(): void {
    this.#calls.end(new JanusError("E_DISPOSED", "this model was disposed of; load it again"));
  }

  /** When the last task has left. */
  async idle(): Promise<void> {
    await Promise.all([this.#computing.idle(), this.#beside.idle()]);
  }
}
