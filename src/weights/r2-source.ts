import { JanusError, quote } from "../errors.js";
import { bodyReader } from "./body-reader.js";
import { changedFile, networkError } from "./http-refusals.js";
import { unreadable } from "./refusals.js";
import { pathSegments } from "./relative-path.js";
import { Interruption, withRetries } from "./retry.js";
import type { WeightSource } from "./source.js";
import { allocate } from "./view.js";

/** What is used of an R2 bucket, Cloudflare's object storage. Whatever has these two methods will do. */
export interface ObjectBucket {
  head(key: string): Promise<StoredObject | null>;
  get(
    key: string,
    options: { readonly range: { readonly offset: number; readonly length: number } },
  ): Promise<(StoredObject & StoredContent) | null>;
}

/** What a bucket says of an object. */
export interface StoredObject {
  /** Of the whole object, also with a range. */
  readonly size: number;
  readonly etag: string;
}

/** The range that was asked for. Where there is a `body`, that is read, and nothing of it is in memory but a piece. */
export interface StoredContent {
  readonly body?: ReadableStream<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A read is asked for in pieces: what is lost when one fails, and what is in memory where there is no body. */
const PIECE_BYTES = 4 << 20;
const RETRIES = 4;
const BACKOFF_MS = 100;

/**
 * The objects of a bucket whose keys begin with `prefix`, which is a folder, with or without a slash at its end. An object keeps the ETag and the
 * size of its first answer; a read that fails is asked for again.
 *
 * @throws JanusError E_NETWORK for the bucket, E_INTEGRITY for an object that has changed, E_IO for one that is not there.
 */
export function r2Source(bucket: ObjectBucket, prefix = ""): WeightSource {
  return new R2Source(bucket, prefix.replace(/\/*$/, prefix === "" ? "" : "/"));
}

class R2Source implements WeightSource {
  readonly label: string;
  readonly #bucket: ObjectBucket;
  readonly #prefix: string;
  readonly #objects = new Map<string, StoredObject>();
  readonly #spare: ArrayBuffer[] = [];

  constructor(bucket: ObjectBucket, prefix: string) {
    this.label = `bucket:${prefix}`;
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    return (await this.#open(path, signal))?.size;
  }

  async read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    await this.#within(path, offset, length, signal);
    const target = allocate(length, path);
    await this.readInto(path, offset, target, signal);
    return target;
  }

  async readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    const known = await this.#within(path, offset, target.length, signal);
    for (let at = 0; at < target.length; at += PIECE_BYTES) {
      await this.#piece(path, known, offset + at, target.subarray(at, at + PIECE_BYTES), signal);
    }
  }

  /** An absent object is not remembered: it may be put there. */
  async #open(path: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const known = this.#objects.get(path);
    if (known) return known;
    const key = this.#key(path);
    const found = await this.#retried(path, () => this.#bucket.head(key), signal);
    if (found === null) return undefined;
    const { size, etag } = found;
    if (!this.#objects.has(path)) this.#objects.set(path, { size, etag });
    return this.#objects.get(path);
  }

  async #within(path: string, offset: number, length: number, signal?: AbortSignal): Promise<StoredObject> {
    const known = await this.#open(path, signal);
    if (known === undefined) throw unreadable(quote(path), `expected an object in ${quote(this.label)}, found none`);
    if (offset >= 0 && length >= 0 && offset + length <= known.size) return known;
    throw unreadable(
      quote(path),
      `expected ${length} bytes at ${offset}, found an object of ${known.size}; is it cut short?`,
    );
  }

  #piece(path: string, known: StoredObject, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { length } = target;
    const attempt = async (): Promise<void> => {
      const found = await this.#bucket.get(this.#key(path), { range: { offset, length } });
      const where = this.#where(path);
      if (found === null) throw changedFile(where, `ETag ${quote(known.etag)}`, "none");
      if (found.etag !== known.etag) throw changedFile(where, `ETag ${quote(known.etag)}`, `ETag ${quote(found.etag)}`);
      const got = await this.#copy(found, target);
      if (got !== length) throw new Interruption(`expected ${length} bytes at ${offset}, got ${got}`);
    };
    return this.#retried(path, attempt, signal);
  }

  /** The content to `target`, as far as that goes; how long it is. */
  async #copy(found: StoredContent, target: Uint8Array): Promise<number> {
    if (found.body === undefined) {
      const bytes = new Uint8Array(await found.arrayBuffer());
      target.set(bytes.subarray(0, target.length));
      return bytes.length;
    }
    const reader = bodyReader(found.body, this.#spare);
    let at = 0;
    for (let piece = await reader.read(); piece; piece = await reader.read()) {
      target.set(piece.subarray(0, Math.max(0, target.length - at)), Math.min(at, target.length));
      at += piece.length;
    }
    return at;
  }

  /** A bucket gives no reasons that a program could tell apart: whatever it throws may do better the next time. */
  #retried<T>(path: string, attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const where = this.#where(path);
    const one = (): Promise<T> =>
      attempt().catch((cause: unknown) => {
        if (cause instanceof JanusError || cause instanceof Interruption) throw cause;
        const said = cause instanceof Error ? cause.message : String(cause);
        throw new Interruption(`expected an answer, got ${quote(said)}`, { cause });
      });
    const fail = (reason: string, cause: unknown): Error => networkError(where, reason, cause);
    return withRetries(one, { retries: RETRIES, backoffMs: BACKOFF_MS, fail }, signal);
  }

  #where(path: string): string {
    return `reading ${quote(path)} from ${quote(this.label, 200)}`;
  }

  #key(path: string): string {
    if (pathSegments(path)) return this.#prefix + path;
    throw unreadable(quote(path), "expected a relative path below the prefix, got one that is not");
  }
}
