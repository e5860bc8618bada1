import { onAbort } from "./on-abort.js";

/** A server that sends less than this in the time that it may be silent is taken for silent: dripping a byte now and then is no progress. */
const SIGN_OF_LIFE_BYTES = 1024;

/** Watches over one request: it ends when the caller aborts, or when the server is silent for too long. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #silenceMs: number;
  readonly #stay: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heard = 0;
  #silent = false;

  constructor(silenceMs: number, outer: AbortSignal | undefined) {
    this.#silenceMs = silenceMs;
    this.#stay = onAbort(outer, () => this.#controller.abort(outer?.reason));
    this.#arm();
  }

  /** For the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it ended because nothing came. */
  get silent(): boolean {
    return this.#silent;
  }

  /** An answer began. */
  answered(): void {
    this.#heard = 0;
    this.#arm();
  }

  /** Part of a body came. */
  heard(bytes: number): void {
    this.#heard += bytes;
    if (this.#heard >= SIGN_OF_LIFE_BYTES) this.answered();
  }

  /** Ends what is left of the request. */
  end(): void {
    clearTimeout(this.#timer);
    this.#stay();
    this.#controller.abort();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#silent = true;
      this.#controller.abort();
    }, this.#silenceMs);
  }
}
