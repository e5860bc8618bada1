/** What a promise rejects with, or a sentence that no test expects. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => `was not rejected but resolved to ${String(value)}`,
    (reason: unknown) => reason,
  );
}

/** Waits until `done` says so; fails after ten seconds. */
export async function until(done: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > end) throw new Error(`waited ten seconds in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The value of a promise, or an error when it does not settle in time: for what must be prompt and must not hang. */
export async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not settled within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
