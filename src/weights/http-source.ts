import { JanusError, quote } from "../errors.js";
import { HttpClient } from "./http-client.js";
import { describeFile } from "./http-describe.js";
import { attemptRange, type PinnedFile, type Sink } from "./http-range.js";
import { ReadQueue } from "./http-reads.js";
import { networkError } from "./http-refusals.js";
import { Watch } from "./http-watch.js";
import { unreadable } from "./refusals.js";
import { pathSegments } from "./relative-path.js";
import type { HttpOptions, RemoteFile, RemoteSource } from "./remote-source.js";
import { withRetries } from "./retry.js";
import { Slots } from "./slots.js";
import { allocate } from "./view.js";

/** Browsers open six connections to a server, command lines are asked to be modest. */
const CONCURRENCY = 8;
/** With the repetitions: a server that says nothing at all is given up after less than two minutes. */
const STALL_MS = 20_000;
const RETRIES = 4;
const BACKOFF_MS = 250;

/**
 * The files below a base URL, by ranges: only what is read is asked for. A file keeps the ETag (or else the time of change) and the size of its first answer; whatever
 * differs later is E_INTEGRITY. What was cut, or is silent, is asked for again from where it ended.
 *
 * The base is a directory, with or without a slash at its end; its query goes with every file, as signatures of a whole directory do, and its user and
 * password to its own origin alone. Neither is ever part of a message.
 *
 * @throws JanusError E_USAGE for a base that is no http(s) URL. Reads: E_NETWORK for the network and the server, E_INTEGRITY for a file that has changed, E_FORMAT
 * for an HTML page in its place, E_IO for a path or a range that is not there.
 */
export function httpSource(base: string | URL, options: HttpOptions = {}): RemoteSource {
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
    throw new JanusError("E_USAGE", "opening a URL: expected http:// or https:// and a host, got another", {
      origin: "usage",
    });
  return new HttpSource(new URL(base), options);
}

class HttpSource implements RemoteSource {
  readonly label: string;
  readonly #base: URL;
  readonly #client: HttpClient;
  readonly #slots: Slots;
  readonly #reads = new ReadQueue((...range) => this.#fetch(...range));
  readonly #files = new Map<string, PinnedFile>();
  readonly #denied = new Set<string>();
  readonly #spare: ArrayBuffer[] | undefined;
  readonly #rules: { readonly stallMs: number; readonly retries: number; readonly backoffMs: number };

  constructor(base: URL, options: HttpOptions) {
    const { headers, concurrency = CONCURRENCY } = options;
    const { stallMs = STALL_MS, retries = RETRIES, backoffMs = BACKOFF_MS } = options;
    const authorization = basicAuthorization(base);
    this.#base = new URL(base);
    this.#base.username = this.#base.password = this.#base.hash = "";
    if (!base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.label = `${this.#base.origin}${this.#base.pathname}`;
    this.#client = new HttpClient({
      ...options,
      headers: (url) => ({ ...(url.origin === base.origin && authorization), ...headers?.(url) }),
    });
    this.#slots = new Slots(concurrency);
    this.#spare = options.sparing ? [] : undefined;
    this.#rules = { stallMs, retries, backoffMs };
  }

  async describe(path: string, signal?: AbortSignal): Promise<RemoteFile | undefined> {
    return (await this.#open(path, signal))?.file;
  }

  async size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    return (await this.#open(path, signal))?.file.size;
  }

  denies(path: string): boolean {
    return this.#denied.has(path);
  }

  async read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const file = await this.#within(path, offset, length, signal);
    const target = allocate(length, path);
    if (length > 0) await this.#reads.read(file, offset, target, signal);
    return target;
  }

  async readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    const file = await this.#within(path, offset, target.length, signal);
    if (target.length > 0) await this.#reads.read(file, offset, target, signal);
  }

  /** An absent file is not remembered, nor is a failure: both may be mended. */
  async #open(path: string, signal?: AbortSignal): Promise<PinnedFile | undefined> {
    signal?.throwIfAborted();
    const known = this.#files.get(path);
    if (known) return known;
    const where = `reading ${quote(path)} from ${quote(this.label, 200)}`;
    const url = this.#locate(path);
    const attempt = (): ReturnType<typeof describeFile> =>
      describeFile(this.#client, where, url, new Watch(this.#rules.stallMs, signal));
    const found = await this.#slots.run(() => this.#retry(where, attempt, signal), signal);
    if (found === "denied") this.#denied.add(path);
    else this.#denied.delete(path);
    if (typeof found === "string") return undefined;
    // The first answer counts, also when two were asked for at once.
    if (!this.#files.has(path)) this.#files.set(path, found);
    return this.#files.get(path);
  }

  async #within(path: string, offset: number, length: number, signal?: AbortSignal): Promise<PinnedFile> {
    const file = await this.#open(path, signal);
    if (file === undefined) throw unreadable(quote(path), `expected a file in ${quote(this.label, 200)}, found none`);
    const { size } = file.file;
    if (!(offset >= 0 && length >= 0 && offset + length <= size))
      throw unreadable(quote(path), `expected ${length} bytes at ${offset}, found a file of ${size}; is it cut short?`);
    return file;
  }

  #locate(path: string): URL {
    const segments = pathSegments(path);
    if (!segments) throw unreadable(quote(path), "expected a relative path below the base URL, got one that is not");
    const url = new URL(this.#base);
    url.pathname += segments.map(encodeURIComponent).join("/");
    return url;
  }

  #fetch(file: PinnedFile, from: number, to: number, sink: Sink, signal: AbortSignal): Promise<void> {
    const cursor = { at: from };
    const attempt = (): Promise<void> =>
      attemptRange(this.#client, file, cursor, to, sink, new Watch(this.#rules.stallMs, signal), this.#spare);
    return this.#slots.run(() => this.#retry(file.where, attempt, signal), signal);
  }

  #retry<T>(where: string, attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const fail = (reason: string, cause: unknown): Error => networkError(where, reason, cause);
    return withRetries(attempt, { ...this.#rules, fail }, signal);
  }
}

/** What a user and a password in a URL stand for: `fetch` takes none, and quotes the whole URL when it says so. */
function basicAuthorization({ username, password }: URL): { authorization: string } | undefined {
  if (username === "" && password === "") return undefined;
  const bytes = new TextEncoder().encode(`${unescaped(username)}:${unescaped(password)}`);
  return { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A percent sign that stands for itself.
  }
}
