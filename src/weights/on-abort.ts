const WAITING = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when a signal aborts, at once when it has; what is returned takes that back. However many wait for a signal, it has one listener: Node
 * warns of more than ten, as of a leak.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    callback();
    return () => undefined;
  }
  const known = WAITING.get(signal);
  const waiting = known ?? new Set<() => void>();
  waiting.add(callback);
  if (!known) {
    WAITING.set(signal, waiting);
    signal.addEventListener("abort", abort);
  }
  return () => {
    waiting.delete(callback);
    if (waiting.size > 0 || WAITING.get(signal) !== waiting) return;
    WAITING.delete(signal);
    signal.removeEventListener("abort", abort);
  };
}

function abort(this: AbortSignal): void {
  const waiting = WAITING.get(this);
  WAITING.delete(this);
  this.removeEventListener("abort", abort);
  for (const callback of waiting ?? []) callback();
}
