import type { ModelSource } from "../host.js";
import type { ProgressEvent } from "../options.js";
import type { Span } from "../range-folder.js";

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of this file that are here, whenever there are more. */
  readonly onBytes?: ((done: number) => void) | undefined;
}

/** A checkpoint on a server, and what of it is on this machine. */
export interface RemoteModel extends ModelSource {
  /** The commit of a hub's checkpoint. */
  readonly revision: string | undefined;
  /** Where whole files go, and where parts of weights go. */
  readonly folders: { readonly whole: string; readonly ranges: string };
  /** Bytes of files that came from a server so far. */
  readonly fetched: number;
  /** Every file, as the server lists them; undefined where servers do not. */
  list(signal?: AbortSignal): Promise<readonly string[] | undefined>;
  /** Whether a file is here in full. */
  hasWhole(path: string, signal?: AbortSignal): Promise<boolean>;
  /** What of a span of a file is not here. */
  missing(path: string, span: Span, signal?: AbortSignal): Promise<readonly Span[]>;
  /** Fetches a file that is not here in full. */
  fetchWhole(path: string, options: FetchOptions): Promise<void>;
  /** Fetches what of a span is not here. */
  fetchSpan(path: string, span: Span, signal?: AbortSignal): Promise<void>;
}

export interface RemoteOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
  /** A cache that cannot be written to is an error, and not a note: E_IO of origin "output". */
  readonly mustKeep?: boolean;
}
