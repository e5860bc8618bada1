import type { WeightSource } from "./source.js";

/** What a server says of a file. */
export interface RemoteFile {
  readonly size: number;
  /** A strong ETag, without quotes; on a model hub the one of the content, wherever that lies. */
  readonly etag: string | undefined;
  /** Where ranges are asked for, after redirects. It may carry a signature: it is for requests, not for messages. */
  readonly url: string;
  /** The commit that a model hub took the file from (X-Repo-Commit). */
  readonly commit?: string;
  /** SHA-256 of the content in hexadecimal, where a model hub gives it (X-Linked-Etag of a large file). */
  readonly sha256?: string;
}

/** Storage on a server. */
export interface RemoteSource extends WeightSource {
  /** What the server says of a file, without its content; undefined when there is none. */
  describe(path: string, signal?: AbortSignal): Promise<RemoteFile | undefined>;
  /** Whether a model hub itself said that there is no such file (X-Error-Code). Any other 404 may be of the moment. */
  denies(path: string): boolean;
  readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void>;
}

export interface HttpOptions {
  /** More headers for a request to `url`. Asked for every hop of a redirect, so that a token can go to one origin alone. */
  readonly headers?: ((url: URL) => Readonly<Record<string, string>>) | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** Requests under way at a time. */
  readonly concurrency?: number | undefined;
  /** Bodies are read into buffers that are used again, where the host has streams of bytes: little garbage, for hosts with little memory. False unless given. */
  readonly sparing?: boolean | undefined;
  /** How long a server may be silent before the request is made again. */
  readonly stallMs?: number | undefined;
  /** How often in a row a request may fail to bring anything before that is the error. */
  readonly retries?: number | undefined;
  /** The wait before the first repetition; it doubles with every further one. */
  readonly backoffMs?: number | undefined;
}
