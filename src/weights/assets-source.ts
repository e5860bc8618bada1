import { httpSource } from "./http-source.js";
import { rangedFetch } from "./ranged-fetch.js";
import type { WeightSource } from "./source.js";

/** Static assets of a worker: the ASSETS binding of Cloudflare's, or a `disk` service of workerd. */
export interface AssetsFetcher {
  fetch(request: Request): Promise<Response>;
}

/**
 * The files below `base` of a worker's static assets. Of an asset that the service gives as a whole alone the ranges in use are kept, as they come
 * by: shards of 25 MiB, the most that an asset may have, are never in memory. `base` is a URL or a path; the host's name is nobody's.
 *
 * @throws JanusError as `httpSource`: E_NETWORK for the service, E_INTEGRITY for an asset that has changed, E_IO for one that is not there.
 */
export function assetsSource(assets: AssetsFetcher, base: string | URL = "/"): WeightSource {
  const fetch = rangedFetch((input, init) => assets.fetch(new Request(input, init)));
  // In turn: every range goes on where the one before ended.
  return httpSource(new URL(base, "https://assets.local/"), { fetch, concurrency: 1, sparing: true });
}
