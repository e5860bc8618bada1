import { quote } from "../../errors.js";
import { isUnreachable } from "../../weights/http-refusals.js";
import { httpSource } from "../../weights/http-source.js";
import { hubIdText, isCommit, resolveUrl } from "../../weights/hub-id.js";
import type { HttpOptions, RemoteFile, RemoteSource } from "../../weights/remote-source.js";
import type { WeightSource } from "../../weights/source.js";
import { lent } from "../given-source.js";
import type { ModelSource } from "../host.js";
import type { RemoteName } from "../remote-name.js";
import { StoredSource } from "../stored-source.js";
import { contentOf, placeOf } from "../weight-store.js";
import { OpfsStore } from "./opfs-store.js";

export interface RemoteOptions {
  readonly signal?: AbortSignal | undefined;
  /** False: nothing is kept for the next visit, and nothing that was kept is read. */
  readonly store?: boolean | undefined;
  /** The model hub, without a slash at its end. */
  readonly endpoint?: string | undefined;
  /** How requests are made. */
  readonly http?: HttpOptions | undefined;
}

/** The hub of huggingface.js and transformers.js, unless another is named. */
const HUB = "https://huggingface.co";
/** The file that every checkpoint has: it says whether the server is there, and of a hub which commit a revision is. */
const FIRST_FILE = "config.json";

/**
 * Opens a checkpoint on a server. What is read of it is kept in the origin-private file system by range, and read from there on the next visit: of a hub's commit
 * nothing more is asked than whether the revision still is that commit, of a URL the ETag of each file. Where nothing can be kept, or the server does not answer and
 * what was kept is taken, the source's notes say so.
 *
 * @throws JanusError E_NETWORK for a server that does not answer and of which nothing was kept; E_USAGE for a URL that is none; the signal's reason.
 */
export async function openRemote(name: RemoteName, options: RemoteOptions = {}): Promise<ModelSource> {
  const { signal, endpoint = HUB, http = {} } = options;
  const notes: string[] = [];
  const { base, label, revision } = directoryOf(name, endpoint);
  // Without a network nobody will answer at the third attempt; on this machine somebody may at the first.
  const connected = navigator.onLine !== false;
  const first = httpSource(base, connected ? http : { ...http, retries: 0 });
  const store = options.store === false ? undefined : await openStore(placeOf(base), notes);
  let file: RemoteFile | undefined;
  try {
    file = await first.describe(FIRST_FILE, signal);
  } catch (error) {
    signal?.throwIfAborted();
    const last = await store?.last(FIRST_FILE);
    if (!store || !last || !isUnreachable(error)) throw error;
    notes.push(`${error.message}; what an earlier visit has kept is taken`);
    const kept = { remote: undefined, store, notes, commit: last.revision === "" ? undefined : last.revision };
    return named(storedSource(`${label}, offline`, kept), notes);
  }
  const commit = commitOf(revision, file);
  const pinned = "hub" in name && commit !== undefined ? resolveUrl(endpoint, { ...name.hub, revision: commit }) : base;
  const remote = connected && pinned === base ? first : httpSource(pinned, http);
  return named(store ? storedSource(label, { remote, store, notes, commit }) : remote, notes);
}

interface Directory {
  /** Where its files are. */
  readonly base: string;
  /** What messages call it. */
  readonly label: string;
  /** Of a hub: a branch, a tag or a commit. */
  readonly revision: string | undefined;
}

function directoryOf(name: RemoteName, endpoint: string): Directory {
  if ("hub" in name)
    return { base: resolveUrl(endpoint, name.hub), label: hubIdText(name.hub), revision: name.hub.revision };
  return { base: name.url, label: httpSource(name.url).label, revision: undefined };
}

/** The commit that a hub's revision is. Where a hub does not show it to pages its files are told apart by their ETags, as those of any server. */
function commitOf(revision: string | undefined, file: RemoteFile | undefined): string | undefined {
  const said = file?.commit ?? revision;
  return revision !== undefined && said !== undefined && isCommit(said) ? said : undefined;
}

async function openStore(place: string, notes: string[]): Promise<OpfsStore | undefined> {
  const unnamed = new Set<string>();
  try {
    return await OpfsStore.open(place, (path) => {
      if (unnamed.has(path)) return;
      unnamed.add(path);
      notes.push(
        `${quote(path)} is not kept for the next visit: expected a strong ETag (without W/) that this page may read, got none; on another origin Access-Control-Expose-Headers must name it`,
      );
    });
  } catch (error) {
    notes.push(`nothing is kept for the next visit: expected the origin-private file system, got ${said(error)}`);
    return undefined;
  }
}

interface Kept {
  readonly remote: RemoteSource | undefined;
  readonly store: OpfsStore;
  readonly notes: string[];
  readonly commit: string | undefined;
}

function storedSource(label: string, { remote, store, notes, commit }: Kept): StoredSource {
  // Several writes may be under way when the first of them fails.
  let refused = false;
  return new StoredSource({
    label,
    remote,
    store,
    commit,
    // A page sees of a redirected file what its storage says, which names the content in its own way.
    holds: (file) => contentOf(file) !== undefined,
    missing: "load it again when its server can be reached",
    onUnwritable: (error) => {
      if (!refused)
        notes.push(
          `nothing more can be kept in ${store.path} (${said(error)}): this load goes on without, and the next one fetches again`,
        );
      refused = true;
    },
  });
}

function named(source: WeightSource, notes: readonly string[]): ModelSource {
  return { ...lent(source), remote: true, notes };
}

/** What a browser says: the name is the standard's, the words are its own. */
function said(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${quote(error.message, 200)}` : quote(error, 200);
}
