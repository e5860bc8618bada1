import { type BodyReader, bodyReader } from "./body-reader.js";
import { onAbort } from "./on-abort.js";

type Fetch = typeof fetch;

/**
 * `fetch` with ranges and sizes, over one that may have neither, as static assets of a worker: a whole file that comes in answer to a range is
 * read as a stream, and only the range is kept of it. The stream stays open, so that ranges in the order of their places take one pass through
 * the file, and nothing but a chunk of it is in memory. Where HEAD tells no length, the file is read once to count it.
 *
 * One request at a time: a range that is asked for while another is being read ends that one.
 */
export function rangedFetch(given: Fetch): Fetch {
  const spare: ArrayBuffer[] = [];
  let open: ForwardBody | undefined;
  const close = (): void => {
    open?.close();
    open = undefined;
  };
  return async (input, init = {}) => {
    if (init.method === "HEAD") return withLength(given, input, init);
    const range = parsedRange(new Headers(init.headers).get("range"));
    if (range === undefined) return given(input, init);
    const url = String(input instanceof Request ? input.url : input);
    if (open?.url === url && (await open.reaches(range.from))) return stretch(open, range, init.signal, close);
    close();
    // What stays open must outlive the signal of its first range.
    const ending = new AbortController();
    const stay = onAbort(init.signal ?? undefined, () => ending.abort(init.signal?.reason));
    const response = await given(input, { ...init, signal: ending.signal });
    if (response.status !== 200 || response.body === null) return response;
    stay();
    open = new ForwardBody(url, response.headers, response.body, spare);
    if (await open.reaches(range.from)) return stretch(open, range, init.signal, close);
    close();
    return new Response(null, { status: 416 });
  };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function parsedRange(header: string | null): Range | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(header ?? "") ?? [];
  return first === undefined ? undefined : { from: Number(first), to: Number(last) + 1 };
}

/** A body that is read forward, once. */
class ForwardBody {
  readonly url: string;
  readonly headers: Headers;
  readonly #reader: BodyReader;
  /** The first byte that was not taken, and what was read from there on. */
  #at = 0;
  #rest: Uint8Array = new Uint8Array();

  constructor(url: string, headers: Headers, body: ReadableStream<Uint8Array>, spare: ArrayBuffer[]) {
    this.url = url;
    this.headers = headers;
    this.#reader = bodyReader(body, spare);
  }

  /** Passes over what lies before byte `to`; false when that was taken before, or when the body has ended or does not go on. */
  async reaches(to: number): Promise<boolean> {
    if (this.#at > to) return false;
    try {
      while (this.#at < to) if ((await this.take(to)).length === 0) return false;
      return await this.#fill();
    } catch {
      return false; // Another request opened it, and has ended.
    }
  }

  /** The next bytes, none beyond byte `to`, nor more than `most`, lent until more are taken; no bytes there or at the end of the body. */
  async take(to: number, most = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    await this.#fill();
    const taken = this.#rest.subarray(0, Math.min(to - this.#at, most));
    this.#rest = this.#rest.subarray(taken.length);
    this.#at += taken.length;
    return taken;
  }

  close(): void {
    try {
      this.#reader.cancel().catch(() => undefined);
    } catch {
      // A host that gives every request streams of its own ends them with it.
    }
  }

  get at(): number {
    return this.#at;
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const piece = await this.#reader.read();
      if (piece === undefined) return false;
      this.#rest = piece;
    }
    return true;
  }
}

/** The range that begins where `body` stands, as an answer. `close` is called when it is not read to its end. */
function stretch(body: ForwardBody, { from, to }: Range, signal: RequestInit["signal"], close: () => void): Response {
  let stay = (): void => {};
  const stream = new ReadableStream({
    type: "bytes",
    start(controller) {
      stay = onAbort(signal ?? undefined, () => {
        controller.error(signal?.reason);
        close();
      });
    },
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view ?? undefined;
      const bytes = await body.take(to, view?.byteLength).catch((error: unknown) => {
        close();
        throw error;
      });
      // What is lent here is copied: to the reader's own buffer if there is one.
      if (view) new Uint8Array(view.buffer, view.byteOffset).set(bytes);
      if (bytes.length > 0) view ? request?.respond(bytes.length) : controller.enqueue(bytes.slice());
      if (bytes.length > 0 && body.at < to) return;
      stay();
      controller.close();
      if (bytes.length === 0) request?.respond(0);
    },
    cancel: close,
  });
  const headers = new Headers(body.headers);
  // How long the whole file is was asked before.
  headers.set("content-range", `bytes ${from}-${to - 1}/*`);
  headers.delete("content-length");
  return new Response(stream, { status: 206, headers });
}

/** The answer to HEAD, with the length of the file. */
async function withLength(given: Fetch, input: Parameters<Fetch>[0], init: RequestInit): Promise<Response> {
  const head = await given(input, init);
  if (head.status !== 200 || head.headers.has("content-length")) return head;
  const whole = await given(input, { ...init, method: "GET" });
  if (whole.status !== 200 || whole.body === null) return whole;
  const headers = new Headers(whole.headers);
  headers.set("content-length", String(await lengthOf(whole.body)));
  return new Response(null, { status: 200, headers });
}

async function lengthOf(body: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  const reader = bodyReader(body, []);
  for (let piece = await reader.read(); piece; piece = await reader.read()) length += piece.length;
  return length;
}
