import { LIMITS, RETRY_AFTER } from "./limits.mjs";
import { Problem } from "./problem.mjs";

const WAIT = { headers: { "retry-after": RETRY_AFTER } };

/** Who may wait for the model: so many requests, with so many bytes among them. */
export class Admission {
  #requests = 0;
  #bytes = 0;

  /**
   * Before anything of the body is read. What is returned is to be called when the request is over.
   * @param {Request} request
   */
  enter(request) {
    // A body without a length may be as long as any.
    const bytes = Number(request.headers.get("content-length") ?? LIMITS.bodyBytes);
    if (bytes > LIMITS.bodyBytes) throw tooLong(bytes);
    if (this.#requests >= LIMITS.requests) throw new Problem(429, `${LIMITS.requests} requests are waiting`, WAIT);
    if (this.#bytes + bytes > LIMITS.waitingBytes) throw new Problem(503, "too many bytes are waiting", WAIT);
    this.#requests += 1;
    this.#bytes += bytes;
    return () => {
      this.#requests -= 1;
      this.#bytes -= bytes;
    };
  }
}

/** @param {number} bytes */
export function tooLong(bytes) {
  return new Problem(413, `expected a body of at most ${LIMITS.bodyBytes} bytes, got ${bytes}`);
}
