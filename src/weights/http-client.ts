import { networkError, urlText } from "./http-refusals.js";
import type { Watch } from "./http-watch.js";
import type { HttpOptions } from "./remote-source.js";
import { Interruption } from "./retry.js";

/** What a model hub says of a file on the way to where it lies. */
export interface Linked {
  readonly commit: string | undefined;
  readonly etag: string | undefined;
  readonly size: number | undefined;
}

export interface Answer {
  /** Undefined when the redirects said all that was asked. */
  readonly response: Response | undefined;
  /** Who answered, or would. */
  readonly url: URL;
  readonly linked: Linked;
}

const MAX_REDIRECTS = 8;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Nobody is there, or nobody who can be believed: no reason to ask again, unless somebody was there before. */
const ABSENT = /^(ENOTFOUND|ECONNREFUSED)$/;
const UNTRUSTED = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY/;

/** Makes requests and follows redirects itself, so that headers which are for one origin go to no other. */
export class HttpClient {
  readonly #fetch: typeof fetch;
  readonly #headers: NonNullable<HttpOptions["headers"]>;

  constructor(options: HttpOptions) {
    // Looked up when it is called: a page may replace it.
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
    this.#headers = options.headers ?? (() => ({}));
  }

  /**
   * The answer to a request, whatever its status. A HEAD request ends as soon as redirects to another origin have named size and content.
   *
   * @throws Interruption when the connection fails; JanusError E_NETWORK for redirects that lead nowhere. The watch's signal ends it.
   */
  async send(
    where: string,
    request: { readonly method: "GET" | "HEAD"; readonly url: URL; readonly range?: string; readonly known?: boolean },
    watch: Watch,
  ): Promise<Answer> {
    let { url } = request;
    let linked: Linked = { commit: undefined, etag: undefined, size: undefined };
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const response = await this.#once(where, { ...request, url }, watch);
      watch.answered();
      linked = joinLinks(linked, response.headers);
      if (!REDIRECTS.includes(response.status))
        return { response, url: response.redirected ? new URL(response.url) : url, linked };
      await response.body?.cancel();
      const next = redirection(where, url, response.headers.get("location"));
      const elsewhere = next.origin !== url.origin;
      url = next;
      if (request.method === "HEAD" && elsewhere && linked.size !== undefined && linked.etag !== undefined)
        return { response: undefined, url, linked };
    }
    throw networkError(
      where,
      `expected the file after at most ${MAX_REDIRECTS} redirects, got one more to ${urlText(url)}; do they go in a circle?`,
    );
  }

  async #once(
    where: string,
    { method, url, range, known }: { method: string; url: URL; range?: string; known?: boolean },
    watch: Watch,
  ): Promise<Response> {
    const headers = requestHeaders(where, this.#headers(url));
    // A compressed body has other offsets, and another length.
    headers.set("accept-encoding", "identity");
    if (range !== undefined) headers.set("range", range);
    const init = { method, headers, signal: watch.signal, cache: "no-store" } as const;
    try {
      const response = await this.#fetch(url, { ...init, redirect: "manual" });
      // A page may not look at a redirect: it is followed by the browser, which takes the token off at another origin.
      return response.type === "opaqueredirect" ? await this.#fetch(url, { ...init, redirect: "follow" }) : response;
    } catch (cause) {
      throw connectionFailure(where, watch, cause, known === true);
    }
  }
}

/** An error of the platform would quote what cannot be sent, and that may be a token. */
function requestHeaders(where: string, given: Readonly<Record<string, string>>): Headers {
  try {
    return new Headers(given);
  } catch {
    throw networkError(
      where,
      "expected headers that can be sent, got one that cannot; is there a line break in a token?",
    );
  }
}

/** What to make of a connection that failed; `known` when the server has answered before. */
function connectionFailure(where: string, watch: Watch, cause: unknown, known: boolean): Error {
  if (watch.silent) return new Interruption("expected an answer, got silence", { cause });
  const code = causeCode(cause);
  // A page is not told why; elsewhere, a cause without a code is a request that was not even made.
  if (code === undefined && cause instanceof Error && cause.cause !== undefined)
    return networkError(
      where,
      "expected an answer, got a request that fetch refuses; is the port one of those it blocks?",
      cause,
    );
  const reason = `expected an answer, got ${code ?? "a connection that failed"}`;
  if (UNTRUSTED.test(code ?? "") || (ABSENT.test(code ?? "") && !known)) return networkError(where, reason, cause);
  return new Interruption(reason, { cause });
}

/** The code of what lies below `fetch failed`; never its message, which may hold a URL. */
function causeCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}

function redirection(where: string, from: URL, location: string | null): URL {
  if (location === null || !URL.canParse(location, from))
    throw networkError(where, "expected a redirect with a Location that is a URL, got another");
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== from.protocol)
    throw networkError(where, `expected a redirect to ${from.protocol}, got one to ${to.protocol}; it is not followed`);
  return to;
}

function joinLinks(known: Linked, headers: Headers): Linked {
  const size = headers.get("x-linked-size");
  return {
    commit: known.commit ?? headers.get("x-repo-commit") ?? undefined,
    etag: known.etag ?? strongEtag(headers.get("x-linked-etag")),
    size: known.size ?? (size === null ? undefined : byteCount(size)),
  };
}

/** A strong ETag without its quotes. A weak one is of something like the content. */
export function strongEtag(value: string | null): string | undefined {
  return /^"([^"]*)"$/.exec(value ?? "")?.[1];
}

/** A number of bytes in a header; undefined for anything else, and beyond what a number counts exactly. */
export function byteCount(text: string | null): number | undefined {
  const count = /^\d{1,16}$/.test(text ?? "") ? Number(text) : Number.NaN;
  return Number.isSafeInteger(count) ? count : undefined;
}
