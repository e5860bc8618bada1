import { constants, fstatSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { JanusError, quote } from "../../errors.js";
import { pathSegments } from "../../weights/relative-path.js";
import type { WeightSource } from "../../weights/source.js";

/** A read is cut into pieces of this size: below the system's limit of 2^31 - 1, and soon enough at the next look at the signal. */
const PIECE_BYTES = 64 * 2 ** 20;

interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
  readonly changed: number;
}

/**
 * The files of one directory. A file is opened once, when it is first asked for, and stays open until `close`, so that a rename cannot
 * exchange it between two reads; one that is written to in place is E_INTEGRITY. Links are followed (the hub's cache is made of them),
 * but a path must be relative and must not climb.
 */
export function directorySource(
  path: string,
): WeightSource & Required<Pick<WeightSource, "readInto">> & { close(): Promise<void> } {
  return new Directory(path);
}

/**
 * Directories with open files. A model that is dropped without being disposed of must not take its file handles to the garbage collector: Node closes
 * those with a warning, and means to make it an error.
 */
const OPEN = new Set<Directory>();

class Directory implements WeightSource {
  readonly label: string;
  readonly #files = new Map<string, Promise<OpenFile | undefined>>();
  #closed = false;

  constructor(path: string) {
    this.label = path;
  }

  async size(path: string, signal?: AbortSignal): Promise<number | undefined> {
    signal?.throwIfAborted();
    return (await this.#open(path))?.size;
  }

  async read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const file = await this.#within(path, offset, length);
    const target = new Uint8Array(length);
    await this.#fill(path, file, offset, target, signal);
    return target;
  }

  async readInto(path: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#fill(path, await this.#within(path, offset, target.length), offset, target, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    OPEN.delete(this);
    const files = await Promise.allSettled(this.#files.values());
    this.#files.clear();
    for (const file of files) if (file.status === "fulfilled") await file.value?.handle.close();
  }

  /** An absent file is not remembered, nor is a failure: both may be mended. */
  async #open(path: string): Promise<OpenFile | undefined> {
    if (this.#closed)
      throw new JanusError("E_DISPOSED", `reading ${quote(path)}: expected an open source, got a closed one`);
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    OPEN.add(this);
    const opening = openRegular(this.label, path);
    this.#files.set(path, opening);
    const file = await opening.catch((error: unknown) => {
      this.#files.delete(path);
      throw error;
    });
    if (file === undefined) this.#files.delete(path);
    return file;
  }

  async #within(path: string, offset: number, length: number): Promise<OpenFile> {
    const file = await this.#open(path);
    if (file === undefined) throw failure(path, `expected a file in ${quote(this.label)}, found none`);
    if (!(offset >= 0 && length >= 0 && offset + length <= file.size))
      throw failure(path, `expected ${length} bytes at ${offset}, found a file of ${file.size}; is it cut short?`);
    return file;
  }

  async #fill(path: string, file: OpenFile, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    let done = 0;
    while (done < target.length) {
      signal?.throwIfAborted();
      const length = Math.min(PIECE_BYTES, target.length - done);
      const { bytesRead } = await file.handle.read(target, done, length, offset + done).catch((cause: unknown) => {
        throw failure(path, `expected ${length} bytes at ${offset + done}, found ${reasonOf(cause)}`, cause);
      });
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    // At once: the file is open, and a turn of the thread pool takes longer than a small read.
    const { size, mtimeMs } = fstatSync(file.handle.fd);
    if (size !== file.size || mtimeMs !== file.changed)
      throw new JanusError(
        "E_INTEGRITY",
        `reading ${quote(path)}: expected it unchanged since it was opened (${file.size} bytes), found it written to (${size} bytes); load it again`,
        { origin: "model" },
      );
    if (done < target.length) throw failure(path, `expected ${target.length} bytes at ${offset}, found ${done}`);
  }
}

async function openRegular(directory: string, path: string): Promise<OpenFile | undefined> {
  const segments = pathSegments(path);
  if (!segments) throw failure(path, "expected a relative path inside the directory, got one that is not");
  const full = join(directory, ...segments);
  try {
    // Asked before opening: opening a FIFO or a device can block or act.
    if (!(await stat(full)).isFile())
      throw failure(path, `expected a regular file in ${quote(directory)}, found another kind`);
    const handle = await open(full, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const { size, mtimeMs } = await handle.stat();
    return { handle, size, changed: mtimeMs };
  } catch (error) {
    if (error instanceof JanusError) throw error;
    const code = reasonOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw failure(path, `expected a readable file in ${quote(directory)}, found ${code}`, error);
  }
}

function failure(path: string, reason: string, cause?: unknown): JanusError {
  return new JanusError("E_IO", `reading ${quote(path)}: ${reason}`, { origin: "model", cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
