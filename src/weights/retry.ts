import { onAbort } from "./on-abort.js";

/** What failed, and may do better the next time. */
export class Interruption extends Error {
  readonly waitMs: number | undefined;
  readonly progressed: boolean;

  /** `reason` says what was expected and got; `waitMs` is what the server asks for; `progressed` when it brought something. */
  constructor(reason: string, options: { cause?: unknown; waitMs?: number | undefined; progressed?: boolean } = {}) {
    super(reason, { cause: options.cause });
    this.waitMs = options.waitMs;
    this.progressed = options.progressed ?? false;
  }
}

export interface RetryRules {
  readonly retries: number;
  readonly backoffMs: number;
  /** The error when the attempts are used up. */
  readonly fail: (reason: string, cause: unknown) => Error;
}

const MAX_BACKOFF_MS = 8000;
/** Longer than a server asks for that is only busy, short enough to sit through. */
const MAX_WAIT_MS = 60_000;

/**
 * The value of the first attempt that is not interrupted. Between attempts it waits: what the server asked for, or twice as long each time, less a
 * part by chance, so that those who were turned away together do not come back together. One that brought something does not count.
 */
export async function withRetries<T>(attempt: () => Promise<T>, rules: RetryRules, signal?: AbortSignal): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Interruption)) throw error;
      failures = error.progressed ? 0 : failures + 1;
      if (failures > rules.retries) {
        const times = failures === 1 ? "" : `, ${failures} times in a row`;
        throw rules.fail(error.message.replace(/(;|$)/, `${times}$1`), error.cause);
      }
      const { waitMs = 0 } = error;
      if (waitMs > MAX_WAIT_MS)
        throw rules.fail(`${error.message}; it asks to wait ${Math.ceil(waitMs / 1000)} s`, error.cause);
      const backoff = Math.min(MAX_BACKOFF_MS, rules.backoffMs * 2 ** Math.max(0, failures - 1));
      await pause(Math.max(waitMs, backoff * (0.5 + Math.random() / 2)), signal);
    }
  }
}

/** Retry-After of an answer in milliseconds: seconds, or a date, which is compared with the server's own clock. */
export function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const now = Date.parse(headers.get("date") ?? "");
  const wait = Date.parse(value) - (Number.isNaN(now) ? Date.now() : now);
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stay();
      resolve();
    }, milliseconds);
    const stay = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal?.reason);
    });
  });
}
