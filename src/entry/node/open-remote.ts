import { JanusError, quote } from "../../errors.js";
import { isUnreachable } from "../../weights/http-refusals.js";
import { httpSource } from "../../weights/http-source.js";
import { type HubId, hubIdText, isCommit, resolveUrl } from "../../weights/hub-id.js";
import type { RemoteName } from "../remote-name.js";
import { HubCache } from "./hub-cache.js";
import { type HubSettings, readHubSettings } from "./hub-settings.js";
import { HubSource } from "./hub-source.js";
import { isFileSystemError } from "./output-error.js";
import type { RemoteModel, RemoteOptions } from "./remote-model.js";
import { UrlSource } from "./url-source.js";

/** The file that every checkpoint has: with it a hub says which commit a revision is. */
const FIRST_FILE = "config.json";

/**
 * Opens a checkpoint on a server: of a hub the revision becomes a commit, of a plain URL nothing is asked yet.
 *
 * @throws JanusError E_NETWORK; E_IO of origin "model" for what a cache does not have while HF_HUB_OFFLINE is set; E_USAGE for settings; the signal's reason.
 */
export async function openRemote(name: RemoteName, options: RemoteOptions = {}): Promise<RemoteModel> {
  const settings = await readHubSettings();
  if ("url" in name) return new UrlSource(name.url, settings, options);
  const id = name.hub;
  const cache = new HubCache(settings.hubCache, id.repo);
  if (isCommit(id.revision)) return new HubSource({ id, commit: id.revision, cache, settings }, options);
  if (settings.offline) {
    const commit = (await cache.commitOf(id.revision)) ?? uncached(id, cache);
    return new HubSource({ id, commit, cache, settings }, options);
  }
  let commit: string;
  try {
    commit = await askCommit(id, settings, options.signal);
  } catch (error) {
    options.signal?.throwIfAborted();
    const known = await cache.commitOf(id.revision);
    if (known === undefined || !isUnreachable(error)) throw error;
    const source = new HubSource({ id, commit: known, cache, settings: { ...settings, offline: true } }, options);
    source.notes.push(`${error.message}; only what is here is taken, of the commit that ${id.revision} was: ${known}`);
    return source;
  }
  // What cannot be written here cannot be written for the files either, and is said there.
  await cache.writeRef(id.revision, commit).catch((error: unknown) => {
    if (!isFileSystemError(error)) throw error;
  });
  return new HubSource({ id, commit, cache, settings }, options);
}

async function askCommit(id: HubId, { endpoint, headers }: HubSettings, signal?: AbortSignal): Promise<string> {
  const file = await httpSource(resolveUrl(endpoint, id), { headers }).describe(FIRST_FILE, signal);
  const where = `opening ${quote(hubIdText(id), 200)} of ${endpoint}`;
  if (!file)
    throw new JanusError(
      "E_IO",
      `${where}: expected ${FIRST_FILE} there, found none; does it have this revision, and is it a checkpoint?`,
      { origin: "model" },
    );
  if (file.commit === undefined || !isCommit(file.commit))
    throw new JanusError(
      "E_NETWORK",
      `${where}: expected the commit (X-Repo-Commit), got ${quote(file.commit)}; does HF_ENDPOINT name a model hub?`,
      { origin: "model" },
    );
  return file.commit;
}

function uncached(id: HubId, cache: HubCache): never {
  throw new JanusError(
    "E_IO",
    `opening ${quote(hubIdText(id), 200)}: HF_HUB_OFFLINE is set, and ${quote(cache.path, 200)} has no refs/${id.revision}; unset it, or fetch the checkpoint with janus pull ${hubIdText(id)}`,
    { origin: "model" },
  );
}
