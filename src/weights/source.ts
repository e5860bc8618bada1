import { JanusError } from "../errors.js";

/**
 * The one seam to storage. A path is relative, with forward slashes, inside one checkpoint directory.
 *
 * Implementations reject with JanusError E_IO (origin "model") naming the path, or with the signal's reason when aborted.
 */
export interface WeightSource {
  /** Bytes of a file; undefined when there is none. */
  size(path: string, signal?: AbortSignal): Promise<number | undefined>;
  /** Exactly `length` bytes from `offset`; a shorter file is an error, never a short result. */
  read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** The same into `target` (which may lie in shared memory), without a copy between. */
  readInto?(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** SHA-256 of a file, in hexadecimal, where that is known without reading it. */
  sha256?(path: string, signal?: AbortSignal): Promise<string | undefined>;
  /** What the source is called in messages: a directory, a URL. */
  readonly label: string;
}

/**
 * Bytes of a file that need not be there; undefined when there is none. A page for a reader in its place (E_FORMAT of a source on a server) is none: single-page applications, and
 * development servers, answer so for whatever they do not have.
 */
export async function sizeIfAny(source: WeightSource, path: string, signal?: AbortSignal): Promise<number | undefined> {
  try {
    return await source.size(path, signal);
  } catch (error) {
    if (error instanceof JanusError && error.code === "E_FORMAT") return undefined;
    throw error;
  }
}

/** Fills `target` from `offset` of a file: in place where the source can. */
export async function readInto(
  source: WeightSource,
  path: string,
  offset: number,
  target: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (source.readInto !== undefined) await source.readInto(path, offset, target, signal);
  else target.set(await source.read(path, offset, target.length, signal));
}
