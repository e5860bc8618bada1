import type { MessageWorker } from "./message-worker.js";

export interface AskOptions {
  readonly transfer?: readonly ArrayBuffer[];
  /** How long the answer may take. */
  readonly milliseconds: number;
  /** What the asker gets when it takes longer; `time` is how long that was, in words. */
  readonly late: (time: string) => unknown;
  readonly signal?: AbortSignal | undefined;
}

/** One worker and the one answer that is awaited of it. A worker that is late, or whose asker no longer waits, is ended: nothing else ends what it does. */
export class AskedWorker {
  readonly #worker: MessageWorker;
  #stopped: { reason: unknown } | undefined;
  #settle: ((outcome: { value: unknown } | { reason: unknown }) => void) | undefined;

  /** `died` is what askers get when the worker ends by itself. */
  constructor(worker: MessageWorker, died: (error: unknown) => unknown) {
    this.#worker = worker;
    worker.onMessage((value) => this.#settle?.({ value }));
    worker.onEnd((error) => void this.stop(died(error)));
  }

  get alive(): boolean {
    return this.#stopped === undefined;
  }

  /** The answer to a question. One at a time; rejects with the signal's reason, what `late` or `died` says, or what it was stopped with. */
  ask<Answer>(question: unknown, { transfer, milliseconds, late, signal }: AskOptions): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#stopped !== undefined) return reject(this.#stopped.reason);
      const abort = (): void => void this.stop(signal?.reason);
      const expire = (): void => void this.stop(late(`${(milliseconds / 1000).toFixed(1)} s`));
      // When this thread was busy past the deadline, the answer may be waiting behind the timer: let it in first.
      let timer = setTimeout(() => {
        timer = setTimeout(expire, 0);
      }, milliseconds);
      this.#settle = (outcome) => {
        this.#settle = undefined;
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#worker.release?.();
        if ("value" in outcome) resolve(outcome.value as Answer);
        else reject(outcome.reason);
      };
      this.#worker.post(question, transfer);
      this.#worker.hold?.();
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Ends the worker; whoever awaits an answer gets the reason. */
  async stop(reason?: unknown): Promise<void> {
    this.#stopped ??= { reason };
    this.#settle?.({ reason });
    await this.#worker.terminate();
  }
}
