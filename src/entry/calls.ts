/**
 * Calls under way, each with a controller of its own, which is aborted with its caller's signal and when all are ended.
 *
 * A caller's signal is listened to once, however many calls it has: past ten listeners Node warns of a leak.
 */
export class Calls {
  readonly #calls = new Map<AbortSignal | undefined, Set<AbortController>>();
  #ended: { readonly reason: unknown } | undefined;

  /** Aborts `call` with `signal` or when all are ended from now on, and at once where that has happened. */
  enter(call: AbortController, signal?: AbortSignal): void {
    const calls = this.#calls.get(signal) ?? new Set();
    this.#calls.set(signal, calls.add(call));
    if (this.#ended) call.abort(this.#ended.reason);
    else if (signal?.aborted) call.abort(signal.reason);
    else if (calls.size === 1) signal?.addEventListener("abort", this.#onAbort);
  }

  /** `call` is over; `signal` is the one it came with. */
  leave(call: AbortController, signal?: AbortSignal): void {
    const calls = this.#calls.get(signal);
    calls?.delete(call);
    if (calls?.size !== 0) return;
    this.#calls.delete(signal);
    signal?.removeEventListener("abort", this.#onAbort);
  }

  /** Aborts what is under way and whatever comes. */
  end(reason: unknown): void {
    this.#ended ??= { reason };
    for (const calls of this.#calls.values()) for (const call of calls) call.abort(reason);
  }

  readonly #onAbort = (event: Event): void => {
    const signal = event.target as AbortSignal;
    for (const call of this.#calls.get(signal) ?? []) call.abort(signal.reason);
  };
}
