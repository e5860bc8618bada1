import { type Answer, byteCount, type HttpClient, strongEtag } from "./http-client.js";
import { isPage, type PinnedFile, validatorOf } from "./http-range.js";
import { isTransient, networkError, pageInstead, statusReason } from "./http-refusals.js";
import type { Watch } from "./http-watch.js";
import { Interruption, retryAfterMs } from "./retry.js";

/** Statuses of servers that answer GET where they refuse HEAD: it is not made for them, or a signature is of GET alone. */
const NO_HEAD: readonly number[] = [400, 403, 405, 501];

/**
 * One attempt at what a server says of a file: by HEAD, or where that says no size, by the first byte. When there is no such file that is "absent", or "denied" where
 * a model hub says so in its own words.
 *
 * @throws Interruption for what may do better the next time; JanusError E_FORMAT for a page in its place, E_NETWORK for the rest.
 */
export async function describeFile(
  client: HttpClient,
  where: string,
  origin: URL,
  watch: Watch,
): Promise<PinnedFile | "absent" | "denied"> {
  try {
    const head = await client.send(where, { method: "HEAD", url: origin }, watch);
    const status = head.response?.status ?? 200;
    if (isNone(head.response)) return absence(head.response);
    if (!NO_HEAD.includes(status)) {
      refuse(where, head.response);
      const size = sizeOf(head);
      if (size !== undefined) return pin(where, origin, head, size);
    }
    const first = await client.send(where, { method: "GET", url: head.url, range: "bytes=0-0" }, watch);
    const { response } = first;
    if (response === undefined) throw networkError(where, "expected an answer, got redirects alone");
    if (isNone(response)) return absence(response);
    const { headers } = response;
    // An empty file has no first byte.
    const range = /^bytes (?:0-0|\*)\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
    if (response.status !== 416 || range !== "0") refuse(where, response);
    const size = response.status === 200 ? sizeOf(first) : byteCount(range ?? null);
    if (size === undefined)
      throw networkError(where, "expected its size in Content-Length or Content-Range, got none that can be read");
    return pin(where, origin, { ...first, linked: head.linked }, size);
  } finally {
    watch.end();
  }
}

/** A hub says 404 also of a revision or a repository that it does not have: that is not an absent file. */
function isNone(response: Response | undefined): boolean {
  if (response?.status !== 404) return false;
  const code = response.headers.get("x-error-code");
  return code === null || code === "EntryNotFound";
}

function absence(response: Response | undefined): "absent" | "denied" {
  return response?.headers.get("x-error-code") === "EntryNotFound" ? "denied" : "absent";
}

function refuse(where: string, response: Response | undefined): void {
  if (response === undefined) return;
  const { status, headers } = response;
  if (isTransient(status)) throw new Interruption(statusReason(response), { waitMs: retryAfterMs(headers) });
  if (status !== 200 && status !== 206) throw networkError(where, statusReason(response));
  if (isPage(headers)) throw pageInstead(where);
}

/** What the links on the way said, or the length of an answer that is not compressed. */
function sizeOf({ response, linked }: Answer): number | undefined {
  if (linked.size !== undefined) return linked.size;
  const encoding = response?.headers.get("content-encoding") ?? "identity";
  return encoding === "identity" ? byteCount(response?.headers.get("content-length") ?? null) : undefined;
}

function pin(where: string, origin: URL, { response, url, linked }: Answer, size: number): PinnedFile {
  const etag = linked.etag ?? strongEtag(response?.headers.get("etag") ?? null);
  const sha256 = /^[0-9a-f]{64}$/.test(linked.etag ?? "") ? linked.etag : undefined;
  const { commit } = linked;
  const file = {
    size,
    etag,
    url: url.href,
    ...(commit !== undefined && { commit }),
    ...(sha256 !== undefined && { sha256 }),
  };
  return { where, file, origin, place: url, validator: response && validatorOf(response.headers) };
}
