import { onAbort } from "../weights/on-abort.js";

/** The value of `work`, or the signal's reason at once when it aborts first: for what cannot be stopped, only no longer waited for. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stay = onAbort(signal, () => reject(signal.reason));
    work.then(resolve, reject).finally(stay);
  });
}
