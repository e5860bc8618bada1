/** How many listeners for its abort a signal has, from now on. */
export function countListeners(signal: AbortSignal): () => number {
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...rest: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, rest);
  };
  signal.removeEventListener = (...rest: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, rest);
  };
  return () => listeners;
}
