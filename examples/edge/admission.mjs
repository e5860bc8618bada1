import { LIMITS, RETRY_AFTER } from "./limits.mjs";
import { Problem } from "./problem.mjs";

const WAIT = { headers: { "retry-after": RETRY_AFTER } };

/**
 * What a request holds while it waits or is computed.
 * @typedef {object} Admitted
 * @property {(bytes: number) => void} hold so many bytes of its body have come
 * @property {() => void} leave it is over
 */

/** Who may wait for the model: so many requests, with so many bytes of bodies among them. A client that sends nothing holds none. */
export class Admission {
  #requests = 0;
  #bytes = 0;

  /**
   * Before anything of the body is read.
   * @param {Request} request
   * @returns {Admitted}
   */
  enter(request) {
    const length = Number(request.headers.get("content-length") ?? 0);
    if (length > LIMITS.bodyBytes) throw tooLong(length);
    if (this.#requests >= LIMITS.requests) throw new Problem(429, `${LIMITS.requests} requests are waiting`, WAIT);
    this.#requests += 1;
    let held = 0;
    return {
      hold: (bytes) => {
        if (this.#bytes + bytes > LIMITS.waitingBytes) throw new Problem(503, "too many bytes are waiting", WAIT);
        if (held + bytes > LIMITS.bodyBytes) throw tooLong(held + bytes);
        this.#bytes += bytes;
        held += bytes;
      },
      leave: () => {
        this.#requests -= 1;
        this.#bytes -= held;
      },
    };
  }
}

/** @param {number} bytes */
function tooLong(bytes) {
  return new Problem(413, `expected a body of at most ${LIMITS.bodyBytes} bytes, got ${bytes}`);
}
