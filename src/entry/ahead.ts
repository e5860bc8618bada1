import { JanusError, quote } from "../errors.js";
import { orAborted } from "./or-aborted.js";

/** What a stream is made of: a list, a generator, a readable stream. */
export type Items<T> = Iterable<T | PromiseLike<T>> | AsyncIterable<T>;

/** `items`, unless they are none: E_USAGE. A text is one item and not its characters. */
export function checkItems<T>(operation: string, name: string, items: Items<T>): Items<T> {
  if (typeof items === "object" && items !== null && (Symbol.asyncIterator in items || Symbol.iterator in items)) {
    return items;
  }
  throw new JanusError(
    "E_USAGE",
    `${operation}: ${name} must be an iterable or an async iterable, got ${quote(items)}; give a list of one for one`,
    { origin: "usage" },
  );
}

/**
 * What `make` makes of every item, in order, each while the consumer works with the one before: one ahead and no more, so neither memory
 * nor what is taken from `items` grows with their number.
 *
 * An error of `items` or of `make` is thrown in its place and ends the iteration; `call` is aborted with it as soon as it is known, for
 * work under its signal that need not go on. An abort of `call` rejects with its reason, at once. When the consumer leaves early, `call` is
 * aborted, `make` (which heeds its signal) has left, and `items` has been told to return.
 */
export async function* ahead<T, U>(
  items: Items<T>,
  make: (item: T, index: number) => Promise<U> | U,
  call: AbortController,
): AsyncGenerator<U, void, undefined> {
  const { signal } = call;
  signal.throwIfAborted();
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let state: "open" | "pulling" | "over" = "open";
  let index = 0;

  async function pull(): Promise<{ readonly item: T } | undefined> {
    state = "pulling";
    try {
      const { done, value } = await source.next();
      const pulled = done ? undefined : { item: await value };
      state = done ? "over" : "open";
      return pulled;
    } catch (error) {
      state = "over";
      throw error;
    }
  }

  async function one(): Promise<{ readonly made: U } | undefined> {
    try {
      signal.throwIfAborted();
      const pulled = await orAborted(pull(), signal);
      return pulled && { made: await make(pulled.item, index++) };
    } catch (error) {
      call.abort(error);
      throw error;
    }
  }

  async function end(): Promise<void> {
    if (state !== "over") call.abort();
    await next.catch(() => undefined);
    const was = state;
    state = "over";
    if (was === "open") await source.return?.();
    // Whoever is being waited for returns when that is over, which may never be.
    if (was === "pulling") (async () => source.return?.())().catch(() => undefined);
  }

  let next = one();
  try {
    for (;;) {
      const current = await next;
      if (!current) return;
      next = one();
      next.catch(() => undefined); // Awaited in the next turn, unless the consumer leaves first.
      yield current.made;
    }
  } catch (error) {
    await end().catch(() => undefined);
    throw error;
  } finally {
    await end();
  }
}
