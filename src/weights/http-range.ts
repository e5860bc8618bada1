import { quote } from "../errors.js";
import { bodyReader } from "./body-reader.js";
import { byteCount, type HttpClient } from "./http-client.js";
import { changedFile, isTransient, networkError, pageInstead, statusReason } from "./http-refusals.js";
import type { Watch } from "./http-watch.js";
import type { RemoteFile } from "./remote-source.js";
import { Interruption, retryAfterMs } from "./retry.js";

/** A file as it was when it was first asked for, and where its bytes are asked for now. */
export interface PinnedFile {
  /** The operation and the file, for messages. */
  readonly where: string;
  readonly file: RemoteFile;
  /** Where it is asked for first: places that redirects lead to may expire. */
  readonly origin: URL;
  place: URL;
  /** ETag or Last-Modified of the place, as it sent it; undefined until it has answered. */
  validator: string | undefined;
}

/** How far a file has come. */
export interface Cursor {
  at: number;
}

/** Takes bytes of a file, which lie at an offset of it, and are lent until it returns. */
export type Sink = (bytes: Uint8Array, at: number) => void;

/** An attempt that brought this much was worth it, so that a server which cuts every long answer still gives the whole file. */
const PROGRESS_BYTES = 64 << 10;

/**
 * One attempt at bytes [cursor.at, to) of a file. What comes goes to `sink`, and the cursor says how far it came, also when the attempt fails. `spare` is as
 * `bodyReader` has it.
 *
 * @throws Interruption for what may do better the next time; JanusError E_INTEGRITY for a file that has changed, E_FORMAT for a page in its place, E_NETWORK for
 * the rest.
 */
export async function attemptRange(
  client: HttpClient,
  pinned: PinnedFile,
  cursor: Cursor,
  to: number,
  sink: Sink,
  watch: Watch,
  spare?: ArrayBuffer[],
): Promise<void> {
  const { where } = pinned;
  const from = cursor.at;
  try {
    const range = `bytes=${from}-${to - 1}`;
    const { response, url, linked } = await client.send(
      where,
      { method: "GET", url: pinned.place, range, known: true },
      watch,
    );
    if (response === undefined) throw networkError(where, "expected an answer, got redirects alone");
    const expired = [401, 403, 404, 410].includes(response.status) && pinned.place.href !== pinned.origin.href;
    if (expired) {
      pinned.place = pinned.origin;
      throw new Interruption(statusReason(response));
    }
    if (linked.etag !== undefined && linked.etag !== pinned.file.etag)
      throw changedFile(where, quote(`ETag ${pinned.file.etag}`), quote(`ETag ${linked.etag}`));
    pinned.place = url;
    const end = answeredEnd(pinned, response, from, to);
    await copyBody(where, response, cursor, end, sink, watch, spare);
    if (end < to)
      throw new Interruption(`expected bytes up to ${to}, got a range up to ${end}`, {
        progressed: end - from >= PROGRESS_BYTES,
      });
  } finally {
    watch.end();
  }
}

/** Where the body of an answer ends in the file. Refuses every answer that may not hold the bytes that were asked for. */
function answeredEnd(pinned: PinnedFile, response: Response, from: number, to: number): number {
  const { where, file } = pinned;
  const { status, headers } = response;
  if (isTransient(status)) throw new Interruption(statusReason(response), { waitMs: retryAfterMs(headers) });
  if (status === 416) {
    const size = byteCount(/^bytes \*\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? null);
    if (size !== undefined && size !== file.size) throw changedFile(where, `${file.size} bytes`, `${size} bytes`);
    throw networkError(
      where,
      `expected bytes ${from} to ${to - 1} of ${file.size}, got status 416, which denies that there are any`,
    );
  }
  if (status !== 206 && status !== 200) throw networkError(where, statusReason(response));
  if (isPage(headers)) throw pageInstead(where);
  checkValidator(pinned, headers);
  if (status === 200) {
    // A server may ignore a range; only of all of the file is that the answer.
    if (from === 0 && to === file.size) return to;
    throw networkError(
      where,
      "expected status 206 with the range that was asked for, got 200 with the whole file; this server has no ranges, download the checkpoint and name its directory",
    );
  }
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity")
    throw networkError(
      where,
      `expected a range as it is, got one with Content-Encoding ${quote(encoding)}; the server must not compress it`,
    );
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  if (total !== undefined && total !== "*" && Number(total) !== file.size)
    throw changedFile(where, `${file.size} bytes`, `${total} bytes`);
  if (total === undefined || Number(first) !== from || !(Number(last) >= from && Number(last) < to)) {
    const stated = headers.get("content-range");
    const got = stated === null ? "none that can be read" : quote(stated);
    throw networkError(where, `expected Content-Range bytes ${from}-${to - 1}/${file.size}, got ${got}`);
  }
  return Number(last) + 1;
}

export function isPage(headers: Headers): boolean {
  return /^\s*(text\/html|application\/xhtml)/i.test(headers.get("content-type") ?? "");
}

/** What tells one state of a file from another, as the server writes it: its ETag, weak or strong, or else when it was changed. */
export function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get("etag");
  if (etag !== null) return `ETag ${etag}`;
  const modified = headers.get("last-modified");
  return modified === null ? undefined : `Last-Modified ${modified}`;
}

function checkValidator(pinned: PinnedFile, headers: Headers): void {
  const validator = validatorOf(headers);
  pinned.validator ??= validator;
  if (validator !== pinned.validator)
    throw changedFile(pinned.where, quote(pinned.validator), validator === undefined ? "no ETag" : quote(validator));
}

/** Copies a body that ends at `end` of the file, and moves the cursor along. */
async function copyBody(
  where: string,
  response: Response,
  cursor: Cursor,
  end: number,
  sink: Sink,
  watch: Watch,
  spare: ArrayBuffer[] | undefined,
): Promise<void> {
  const from = cursor.at;
  const interrupted = (got: string, cause?: unknown): Interruption => {
    const progressed = cursor.at - from >= PROGRESS_BYTES;
    return new Interruption(`expected ${end - from} bytes, got ${cursor.at - from} and ${got}`, { cause, progressed });
  };
  const reader = response.body ? bodyReader(response.body, spare) : undefined;
  for (;;) {
    const part = await reader?.read().catch((cause: unknown) => {
      throw interrupted(watch.silent ? "then silence" : "a connection that was cut", cause);
    });
    if (part === undefined) break;
    if (cursor.at + part.length > end) throw networkError(where, `expected a body of ${end - from} bytes, got more`);
    sink(part, cursor.at);
    cursor.at += part.length;
    watch.heard(part.length);
  }
  if (cursor.at < end) throw interrupted("the end");
}
