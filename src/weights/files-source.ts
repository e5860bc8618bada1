import { JanusError, quote } from "../errors.js";
import { unreadable } from "./refusals.js";
import type { WeightSource } from "./source.js";

/** A file that the caller has: its bytes, wherever they lie. */
export interface HeldFile {
  readonly size: number;
  /** Bytes [begin, end); they may be a view of memory that is not ours. */
  slice(begin: number, end: number): Promise<Uint8Array>;
}

/** Files by path as a source. Reads beyond a file are E_IO, as they are of any other source. */
export function filesSource(label: string, files: ReadonlyMap<string, HeldFile>): WeightSource {
  const slice = async (path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> => {
    signal?.throwIfAborted();
    const file = files.get(path);
    if (file === undefined) throw unreadable(quote(path), `expected a file in ${quote(label)}, found none`);
    if (!(offset >= 0 && length >= 0 && offset + length <= file.size))
      throw unreadable(
        quote(path),
        `expected ${length} bytes at ${offset}, found a file of ${file.size}; is it cut short?`,
      );
    const bytes = await file.slice(offset, offset + length);
    signal?.throwIfAborted();
    return bytes;
  };
  return {
    label,
    async size(path, signal) {
      signal?.throwIfAborted();
      return files.get(path)?.size;
    },
    read: async (path, offset, length, signal) => new Uint8Array(await slice(path, offset, length, signal)),
    async readInto(path, offset, target, signal) {
      target.set(await slice(path, offset, target.length, signal));
    },
  };
}

/** Refuses a map or a list of files that is not one. */
export function refuseFiles(expected: string, got: string): JanusError {
  return new JanusError("E_USAGE", `opening files: expected ${expected}, got ${got}`, { origin: "usage" });
}

export function isBytes(value: unknown): value is ArrayBufferLike | ArrayBufferView {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true;
  return typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer;
}

/** What a value is, in a message. Nothing that may hold a file is written out: that could be gigabytes. */
export function kindOf(value: unknown): string {
  if (isBytes(value)) return "bytes";
  if (value instanceof Blob) return "a Blob";
  if (value instanceof Map) return `a Map of ${value.size}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return `an object with ${quote(Object.keys(value).slice(0, 5))}`;
  return quote(value);
}
