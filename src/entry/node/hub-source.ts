import { JanusError, quote } from "../../errors.js";
import { httpSource } from "../../weights/http-source.js";
import { type HubId, hubIdText, resolveUrl } from "../../weights/hub-id.js";
import { listRepository } from "../../weights/hub-listing.js";
import type { RemoteSource } from "../../weights/remote-source.js";
import { allocate } from "../../weights/view.js";
import type { Span } from "../range-folder.js";
import { SharedWork } from "../shared-work.js";
import { StoredSource } from "../stored-source.js";
import { contentOf, digestOf, type Known } from "../weight-store.js";
import { fetchBlob, type ReadBlob } from "./blob.js";
import { directorySource } from "./directory.js";
import type { HubCache } from "./hub-cache.js";
import { type HubSettings, OFFLINE_STEP } from "./hub-settings.js";
import { isFileSystemError } from "./output-error.js";
import { RangeStore } from "./range-store.js";
import type { FetchOptions, RemoteModel, RemoteOptions } from "./remote-model.js";
import { unwritableCache } from "./unwritable.js";

/** Files of which parts are needed; what is not weights is small. */
const WEIGHTS = /\.(?:safetensors|bin)$/;
/** Files without which there is nothing to load: that one is absent is not taken from a record while the hub can be asked. */
const NEEDED: ReadonlySet<string> = new Set(["config.json", "tokenizer.json"]);
/** A file that goes to the store of ranges is fetched in pieces of this size. */
const PIECE = 4 * 2 ** 20;
/** What a file may take that no disk is there for: the tokenizer of Janus has 5 MB. */
const MAX_IN_MEMORY = 256 * 2 ** 20;

export interface HubCheckpoint {
  readonly id: HubId;
  /** What the revision is. */
  readonly commit: string;
  readonly cache: HubCache;
  readonly settings: HubSettings;
}

/**
 * A checkpoint on a model hub. A file is taken from Hugging Face's own cache where that has it, whoever put it there. Others are fetched into it whole, under the
 * digest that the hub gives and that they are compared with; but of weights only what is read is fetched, and kept in the store of ranges. A file without a digest
 * goes to that store, too, and one without any ETag nowhere.
 */
export class HubSource implements RemoteModel {
  readonly label: string;
  readonly remote = true;
  readonly revision: string;
  readonly notes: string[] = [];
  readonly folders: RemoteModel["folders"];
  readonly #hub: HubCheckpoint;
  readonly #options: RemoteOptions;
  #snapshot: ReturnType<typeof directorySource>;
  /** With damaged files open, which were replaced since. */
  readonly #outdated: ReturnType<typeof directorySource>[] = [];
  readonly #remote: RemoteSource | undefined;
  readonly #stored: StoredSource;
  readonly #fetching = new SharedWork<void>();
  readonly #inMemory = new Map<string, Uint8Array>();
  /** Small files of which the store of ranges has what it can have. */
  readonly #inRanges = new Set<string>();
  readonly #onUnwritable: (error: unknown) => void;
  #fetched = 0;

  constructor(hub: HubCheckpoint, options: RemoteOptions) {
    const { id, commit, cache } = hub;
    const { endpoint, headers, offline, ranges } = hub.settings;
    this.#hub = hub;
    this.#options = options;
    this.label = offline ? `${hubIdText(id)}, offline from ${cache.path}` : hubIdText(id);
    this.revision = commit;
    this.#snapshot = directorySource(cache.snapshot(commit));
    this.#onUnwritable = unwritableCache(cache.path, this.notes, options);
    const store = new RangeStore(ranges, `${endpoint}/${id.repo}`);
    this.folders = { whole: cache.path, ranges: store.path };
    this.#remote = offline
      ? undefined
      : httpSource(resolveUrl(endpoint, { repo: id.repo, revision: commit }), { headers });
    this.#stored = new StoredSource({
      label: this.label,
      remote: this.#remote,
      store,
      missing: OFFLINE_STEP,
      commit,
      onUnwritable: unwritableCache(store.path, this.notes, options),
      onFetched: (_, bytes) => {
        this.#fetched += bytes;
      },
    });
  }

  get fetched(): number {
    return this.#fetched;
  }

  async size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    signal?.throwIfAborted();
    const here = this.#inMemory.get(path)?.length ?? (await this.#sizeHere(path, signal));
    if (here !== undefined) return here;
    const { cache, commit } = this.#hub;
    const lacked = await cache.lacks(commit, path);
    if (lacked && !(this.#remote && NEEDED.has(path))) return undefined;
    const known = await this.#stored.describe(path, signal);
    if (known === undefined && this.#remote?.denies(path)) await this.#tried(() => cache.writeAbsence(commit, path));
    if (known !== undefined && lacked) await this.#tried(() => cache.forgetAbsence(commit, path));
    return known?.size;
  }

  async read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const size = await this.size(path, signal);
    // What is beyond the end is refused before there is memory for it.
    if (size === undefined || !(offset + length <= size)) return this.#stored.read(path, offset, length, signal);
    const target = allocate(length, path);
    await this.readInto(path, offset, target, signal);
    return target;
  }

  async readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (!WEIGHTS.test(path)) await this.fetchWhole(path, { signal });
    const here = this.#inMemory.get(path);
    if (here) target.set(here.subarray(offset, offset + target.length));
    else if ((await this.#sizeHere(path, signal)) !== undefined)
      await this.#snapshot.readInto(path, offset, target, signal);
    else await this.#stored.readInto(path, offset, target, signal);
  }

  async sha256(path: string, signal?: AbortSignal): Promise<string | undefined> {
    return (await this.hasWhole(path, signal)) ? undefined : (await this.#stored.describe(path, signal))?.sha256;
  }

  list(signal?: AbortSignal): Promise<readonly string[]> {
    const { id, commit, settings } = this.#hub;
    const { endpoint, headers } = settings;
    return listRepository(endpoint, { repo: id.repo, revision: commit }, { headers }, signal);
  }

  async hasWhole(path: string, signal?: AbortSignal): Promise<boolean> {
    return this.#inMemory.has(path) || this.#inRanges.has(path) || (await this.#sizeHere(path, signal)) !== undefined;
  }

  async missing(path: string, span: Span, signal?: AbortSignal): Promise<readonly Span[]> {
    return (await this.hasWhole(path, signal)) ? [] : this.#stored.missing(path, span, signal);
  }

  async fetchWhole(path: string, options: FetchOptions): Promise<void> {
    if (await this.hasWhole(path, options.signal)) return;
    await this.#fetching.run(path, (signal) => this.#fetchWhole(path, { ...options, signal }), options.signal);
  }

  async fetchSpan(path: string, { begin, end }: Span, signal?: AbortSignal): Promise<void> {
    if (!(await this.hasWhole(path, signal)))
      await this.#stored.readInto(path, begin, allocate(end - begin, path), signal);
  }

  async close(): Promise<void> {
    for (const snapshot of [this.#snapshot, ...this.#outdated]) await snapshot.close();
  }

  /** The size of a file of the cache. Where keeping is the task, one that is not as long as the hub says counts as absent, and is fetched again. */
  async #sizeHere(path: string, signal?: AbortSignal): Promise<number | undefined> {
    const here = await this.#snapshot.size(path, signal);
    if (here === undefined || !this.#options.mustKeep || !this.#remote) return here;
    const file = await this.#stored.describe(path, signal);
    return file === undefined || file.size === here ? here : undefined;
  }

  async #fetchWhole(path: string, { signal, onBytes }: FetchOptions): Promise<void> {
    const { cache, commit } = this.#hub;
    const { onProgress } = this.#options;
    const file = (await this.#stored.describe(path, signal)) ?? (await this.#unfound(path));
    const total = file.size;
    const read: ReadBlob = (offset, target, ending) =>
      this.#stored.fill(path, offset, target, { signal: ending, keep: false });
    const onFileBytes = (loaded: number): void => {
      onBytes?.(loaded);
      onProgress?.({
        status: "progress",
        file: path,
        progress: total > 0 ? (100 * loaded) / total : 100,
        loaded,
        total,
      });
    };
    onProgress?.({ status: "initiate", file: path });
    onProgress?.({ status: "download", file: path });
    const digest = digestOf(file);
    if (digest === undefined) await this.#fetchUnproven(path, file, read, { signal, onBytes: onFileBytes });
    else
      try {
        const blob = cache.blob(digest);
        await fetchBlob(blob, file, read, { path, signal, onBytes: onFileBytes });
        await cache.link(commit, path, blob);
        if ((await this.#snapshot.size(path)) !== file.size) {
          this.#outdated.push(this.#snapshot);
          this.#snapshot = directorySource(cache.snapshot(commit));
        }
      } catch (error) {
        if (!isFileSystemError(error)) throw error;
        this.#onUnwritable(error);
        this.#inMemory.set(path, await readAll(path, file, read, signal));
      }
    onProgress?.({ status: "done", file: path });
  }

  /** A file that nothing can be compared with. By its ETag its parts are told from those of another state of it; without one it lives as long as this source. */
  async #fetchUnproven(path: string, file: Known, read: ReadBlob, { signal, onBytes }: FetchOptions): Promise<void> {
    const etag = contentOf(file);
    const kept = etag === undefined ? "it is kept in memory alone" : "its parts are kept in the store of ranges";
    const got = etag === undefined ? "no strong ETag" : `ETag ${quote(etag)}`;
    this.notes.push(
      `${quote(path)} does not go into Hugging Face's cache: expected a SHA-1 or SHA-256 as its ETag, got ${got}; ${kept}`,
    );
    if (etag === undefined) this.#inMemory.set(path, await readAll(path, file, read, signal));
    for (let begin = 0; etag !== undefined && begin < file.size; begin += PIECE) {
      const end = Math.min(begin + PIECE, file.size);
      await this.#stored.readInto(path, begin, allocate(end - begin, path), signal);
      onBytes?.(end);
    }
    if (etag !== undefined) this.#inRanges.add(path);
    onBytes?.(file.size);
  }

  async #unfound(path: string): Promise<never> {
    throw new JanusError("E_IO", `reading ${quote(path)}: expected it in ${quote(this.label, 200)}, found none`, {
      origin: "model",
    });
  }

  /** What would spare the next run a request, and this one nothing. */
  async #tried(write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      if (!isFileSystemError(error)) throw error;
    });
  }
}

async function readAll(
  path: string,
  file: Known,
  read: ReadBlob,
  signal: AbortSignal = new AbortController().signal,
): Promise<Uint8Array> {
  if (file.size > MAX_IN_MEMORY)
    throw new JanusError(
      "E_IO",
      `reading ${quote(path)}: expected at most ${MAX_IN_MEMORY} bytes without a cache for it, found ${file.size}; make room, or take a hub that sends ETags`,
      { origin: "model" },
    );
  const bytes = allocate(file.size, path);
  await read(0, bytes, signal);
  return bytes;
}
