import { httpSource } from "../../weights/http-source.js";
import { allocate } from "../../weights/view.js";
import type { Span } from "../range-folder.js";
import { StoredSource } from "../stored-source.js";
import { placeOf } from "../weight-store.js";
import { type HubSettings, OFFLINE_STEP, userAgent } from "./hub-settings.js";
import { RangeStore } from "./range-store.js";
import type { FetchOptions, RemoteModel, RemoteOptions } from "./remote-model.js";
import { unwritableCache } from "./unwritable.js";

/** A file is fetched in pieces of this size. */
const PIECE = 4 * 2 ** 20;

/** A checkpoint under a plain URL. What is read is kept in the store of ranges by ETag, which is asked for in every run. */
export class UrlSource implements RemoteModel {
  readonly label: string;
  readonly remote = true;
  readonly revision = undefined;
  readonly notes: string[] = [];
  readonly folders: RemoteModel["folders"];
  readonly #stored: StoredSource;
  #fetched = 0;

  constructor(url: string, { ranges, offline }: HubSettings, options: RemoteOptions) {
    const remote = httpSource(url, { headers: () => ({ "user-agent": userAgent() }) });
    const store = new RangeStore(ranges, placeOf(url));
    this.label = offline ? `${remote.label}, offline from ${store.path}` : remote.label;
    this.folders = { whole: store.path, ranges: store.path };
    this.#stored = new StoredSource({
      label: this.label,
      remote: offline ? undefined : remote,
      store,
      missing: OFFLINE_STEP,
      onUnwritable: unwritableCache(store.path, this.notes, options),
      onFetched: (_, bytes) => {
        this.#fetched += bytes;
      },
    });
  }

  get fetched(): number {
    return this.#fetched;
  }

  size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    return this.#stored.size(path, signal);
  }

  read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#stored.read(path, offset, length, signal);
  }

  readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#stored.readInto(path, offset, target, signal);
  }

  async list(): Promise<undefined> {
    return undefined;
  }

  async hasWhole(path: string, signal?: AbortSignal): Promise<boolean> {
    const size = await this.size(path, signal);
    return size !== undefined && (await this.missing(path, { begin: 0, end: size }, signal)).length === 0;
  }

  missing(path: string, span: Span, signal?: AbortSignal): Promise<readonly Span[]> {
    return this.#stored.missing(path, span, signal);
  }

  async fetchWhole(path: string, { signal, onBytes }: FetchOptions): Promise<void> {
    const size = (await this.size(path, signal)) ?? 0;
    for (let begin = 0; begin < size; begin += PIECE) {
      const end = Math.min(begin + PIECE, size);
      await this.fetchSpan(path, { begin, end }, signal);
      onBytes?.(end);
    }
  }

  async fetchSpan(path: string, { begin, end }: Span, signal?: AbortSignal): Promise<void> {
    await this.readInto(path, begin, allocate(end - begin, path), signal);
  }

  async close(): Promise<void> {}
}
