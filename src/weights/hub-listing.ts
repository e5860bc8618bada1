import { JanusError, quote } from "../errors.js";
import { HttpClient } from "./http-client.js";
import { isTransient, networkError, statusReason } from "./http-refusals.js";
import { Watch } from "./http-watch.js";
import { type HubId, hubIdText, listingUrl } from "./hub-id.js";
import { type JsonLimits, type JsonValue, parseJson } from "./json.js";
import { pathSegments } from "./relative-path.js";
import type { HttpOptions } from "./remote-source.js";
import { Interruption, retryAfterMs, withRetries } from "./retry.js";

/** Janus' repositories have a dozen files; a listing has a few members besides. */
const LIMITS: JsonLimits = { bytes: 16 * 2 ** 20, depth: 32, values: 200_000 };
const MAX_PATH = 1024;
const SILENCE_MS = 20_000;
const RETRIES = 4;
const BACKOFF_MS = 250;

/**
 * The files of a revision, as a model hub lists them.
 *
 * @throws JanusError E_NETWORK for a hub that cannot be reached or refuses, or whose listing is none; the signal's reason.
 */
export async function listRepository(
  endpoint: string,
  id: HubId,
  options: HttpOptions,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const where = `listing the files of ${quote(hubIdText(id))}`;
  const client = new HttpClient(options);
  const url = new URL(listingUrl(endpoint, id));
  const ask = async (): Promise<Uint8Array> => {
    const watch = new Watch(options.stallMs ?? SILENCE_MS, signal);
    try {
      const { response } = await client.send(where, { method: "GET", url }, watch);
      if (response?.ok) return await bounded(where, response, watch);
      await response?.body?.cancel();
      const reason = response ? statusReason(response) : "expected a listing, got none";
      if (!response || !isTransient(response.status)) throw networkError(where, reason);
      throw new Interruption(reason, { waitMs: retryAfterMs(response.headers) });
    } finally {
      watch.end();
    }
  };
  const { retries = RETRIES, backoffMs = BACKOFF_MS } = options;
  const fail = (reason: string, cause?: unknown): JanusError => networkError(where, reason, cause);
  const bytes = await withRetries(ask, { retries, backoffMs, fail }, signal);
  return pathsOf(where, parseJson(bytes, LIMITS, fail));
}

/** The body of an answer, of no more bytes than a listing has. */
async function bounded(where: string, response: Response, watch: Watch): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  try {
    for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
      watch.heard(part.value.length);
      parts.push(part.value);
      length += part.value.length;
      if (length > LIMITS.bytes) throw networkError(where, `expected at most ${LIMITS.bytes} bytes, got more`);
    }
  } catch (cause) {
    if (cause instanceof JanusError) throw cause;
    throw new Interruption("expected a listing, got a part of one", { cause });
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function pathsOf(where: string, listing: JsonValue): string[] {
  const siblings = listing instanceof Map ? listing.get("siblings") : undefined;
  if (!Array.isArray(siblings)) throw networkError(where, "expected an object with the member siblings, found none");
  return siblings.map((sibling) => {
    const path = sibling instanceof Map ? sibling.get("rfilename") : undefined;
    // It becomes the name of a file on this machine.
    if (
      typeof path !== "string" ||
      path.length > MAX_PATH ||
      pathSegments(path) === undefined ||
      /[\p{Cc}:]/u.test(path)
    )
      throw networkError(where, `expected paths inside the repository, found ${quote(path)}`);
    return path;
  });
}
