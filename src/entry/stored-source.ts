import { JanusError, quote } from "../errors.js";
import type { RemoteSource } from "../weights/remote-source.js";
import { readInto, type WeightSource } from "../weights/source.js";
import { allocate } from "../weights/view.js";
import type { Span } from "./range-folder.js";
import { SharedWork } from "./shared-work.js";
import { contentOf, digestOf, type Known, type WeightStore } from "./weight-store.js";

export interface StoredOptions {
  /** What the source is called in messages. */
  readonly label: string;
  /** Nothing is asked of it while the store has the answer. Absent: the store is all there is. */
  readonly remote: RemoteSource | undefined;
  readonly store: WeightStore;
  /** What to do when the store is all there is, and lacks something. */
  readonly missing: string;
  /** A commit: what was found out of it holds for ever. Otherwise every file is asked for again, and what was kept of another content is not used. */
  readonly commit?: string | undefined;
  /** Which of a commit's records hold: by default those with a digest. What is named otherwise may be an answer that the server has mended since. */
  readonly holds?: ((file: Known) => boolean) | undefined;
  /** Told once when the store cannot be written to; from then on nothing is kept. What it throws ends the read. */
  readonly onUnwritable: (error: unknown) => void;
  /** Bytes that came from the remote source. */
  readonly onFetched?: ((path: string, bytes: number) => void) | undefined;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** False where the caller keeps the bytes itself. */
  readonly keep?: boolean;
}

/** A remote directory whose bytes are fetched once: what is read is kept in a store, and read from there. */
export class StoredSource implements WeightSource {
  readonly label: string;
  readonly #options: StoredOptions;
  readonly #known = new Map<string, Known>();
  /** Files that the remote source has described in this run. */
  readonly #confirmed = new Set<string>();
  readonly #asking = new SharedWork<Known | undefined>();
  #writable = true;

  constructor(options: StoredOptions) {
    this.label = options.label;
    this.#options = options;
  }

  async size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    signal?.throwIfAborted();
    return (await this.describe(path, signal))?.size;
  }

  async read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    await this.#within(path, offset, length, signal);
    const target = allocate(length, path);
    await this.readInto(path, offset, target, signal);
    return target;
  }

  readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.fill(path, offset, target, { signal });
  }

  /** What is known of a file, by the store where that is certain; undefined when there is none. Neither a failure nor an absence is remembered. */
  async describe(path: string, signal?: AbortSignal): Promise<Known | undefined> {
    const known = this.#known.get(path);
    if (known) return known;
    const found = await this.#asking.run(path, (asking) => this.#describe(path, asking), signal);
    // The first answer counts.
    if (found && !this.#known.has(path)) this.#known.set(path, found);
    return found && this.#known.get(path);
  }

  /** Bytes of a span that would have to be fetched, in order. */
  async missing(path: string, span: Span, signal?: AbortSignal): Promise<Span[]> {
    const file = await this.#within(path, span.begin, span.end - span.begin, signal);
    const folder = await this.#options.store.ranges(path, file);
    return folder?.missing(span) ?? [span];
  }

  /** Fills `target` from `offset` on: from the store, and what that does not have from the remote source. */
  async fill(path: string, offset: number, target: Uint8Array, { signal, keep = true }: ReadOptions): Promise<void> {
    signal?.throwIfAborted();
    const file = await this.#within(path, offset, target.length, signal);
    const folder = await this.#options.store.ranges(path, file);
    for (let filled = 0; filled < target.length; ) {
      filled += (await folder?.read(offset + filled, target.subarray(filled))) ?? 0;
      signal?.throwIfAborted();
      if (filled === target.length) return;
      const begin = offset + filled;
      const [gap] = folder?.missing({ begin, end: offset + target.length }) ?? [];
      const piece = target.subarray(filled, (gap?.end ?? offset + target.length) - offset);
      await this.#fetch(path, file, begin, piece, signal);
      if (folder && keep) await this.#keep(() => folder.write(begin, piece));
      filled += piece.length;
    }
  }

  async #describe(path: string, signal: AbortSignal): Promise<Known | undefined> {
    const { remote, store, commit, holds = (file) => digestOf(file) !== undefined } = this.#options;
    if (commit !== undefined || !remote) {
      const known = await store.known(commit ?? "", path);
      if (!remote || (known && holds(known))) return known;
    }
    return this.#ask(remote, path, signal);
  }

  async #ask(remote: RemoteSource, path: string, signal: AbortSignal): Promise<Known | undefined> {
    const { store, commit = "" } = this.#options;
    const file = await remote.describe(path, signal);
    if (file) await this.#keep(() => store.remember(commit, path, file));
    if (file) this.#confirmed.add(path);
    return file;
  }

  async #fetch(path: string, file: Known, begin: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { remote, store, missing } = this.#options;
    if (!remote)
      throw new JanusError(
        "E_IO",
        `reading ${quote(path)} of ${quote(this.label, 200)}: ${target.length} bytes at ${begin} are not in ${quote(store.path, 200)}, and no server is asked; ${missing}`,
        { origin: "model" },
      );
    if (!this.#confirmed.has(path)) await this.#confirm(remote, path, file, signal);
    await readInto(remote, path, begin, target, signal);
    this.#options.onFetched?.(path, target.length);
  }

  /** Before bytes of the server are put beside those that were kept: its file must still be the one in the record. */
  async #confirm(remote: RemoteSource, path: string, known: Known, signal?: AbortSignal): Promise<void> {
    const file = await this.#asking.run(path, (asking) => this.#ask(remote, path, asking), signal);
    if (file && file.size === known.size && contentOf(file) === contentOf(known)) return;
    this.#known.delete(path);
    throw new JanusError(
      "E_INTEGRITY",
      `reading ${quote(path)} of ${quote(this.label, 200)}: expected ${known.size} bytes with ETag ${quote(contentOf(known))}, found ${file ? `${file.size} with ${quote(contentOf(file))}` : "no file"}; it has changed on the server, load it again`,
      { origin: "model" },
    );
  }

  async #keep(write: () => Promise<void>): Promise<void> {
    if (!this.#writable) return;
    try {
      await write();
    } catch (error) {
      if (!this.#options.store.isRefusal(error)) throw error;
      this.#writable = false;
      this.#options.onUnwritable(error);
    }
  }

  async #within(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Known> {
    const file = await this.describe(path, signal);
    const found = file === undefined ? "none" : `a file of ${file.size}; is it cut short?`;
    if (file === undefined || !(offset >= 0 && length >= 0 && offset + length <= file.size))
      throw new JanusError(
        "E_IO",
        `reading ${quote(path)}: expected ${length} bytes at ${offset} in ${quote(this.label, 200)}, found ${found}`,
        { origin: "model" },
      );
    return file;
  }
}
