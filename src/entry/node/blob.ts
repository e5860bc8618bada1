/** Whole files that are fetched into Hugging Face's cache: complete under their final name, and taken up again where an earlier process stopped. */
import type { Hash } from "node:crypto";
import { type FileHandle, open, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { JanusError, quote } from "../../errors.js";
import { contentOf, digestOf, type Known } from "../weight-store.js";
import { adoptBeginning, IDLE_MS } from "./beginnings.js";
import { hashFor } from "./content-digest.js";
import { makeFolder } from "./make-folder.js";
import { errorCode, isFileSystemError } from "./output-error.js";
import { moveInto } from "./publish.js";

export interface BlobOptions {
  /** What messages call it. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that are there, of the whole. */
  readonly onBytes?: ((done: number) => void) | undefined;
}

/** Fills `target` from byte `offset` of the file. */
export type ReadBlob = (offset: number, target: Uint8Array, signal: AbortSignal) => Promise<void>;

/** Pieces that are fetched at once, and written one after the other, so that what is there is always a beginning. */
const PIECE = 4 * 2 ** 20;
const WINDOW = 4;

/** How often what others remove may be begun again. */
const TRIES = 3;

/**
 * Fetches a file to `blob`, unless that is there in full. What an interrupted process left of it is continued. The length is compared, and the digest where its
 * name is one (SHA-256, or SHA-1 as git names blobs); a continued file that does not hold is fetched anew.
 *
 * @throws JanusError E_INTEGRITY; E_IO of origin "output" when it is removed time and again; whatever `read` throws; the signal's reason; whatever the file
 * system says.
 */
export async function fetchBlob(blob: string, file: Known, read: ReadBlob, options: BlobOptions): Promise<void> {
  options.signal?.throwIfAborted();
  for (let vanished = 0; vanished < TRIES; ) {
    if ((await stat(blob).catch(() => undefined))?.size === file.size) return;
    await makeFolder(dirname(blob));
    const { partial, size } = await adoptBeginning(blob);
    try {
      const found = await complete(partial, file, read, options);
      if (found === undefined) {
        if (await movedInto(partial, blob)) return;
        vanished++;
        continue;
      }
      await rm(partial, { force: true });
      if (size === 0) throw mismatch(options.path, file, found);
    } catch (error) {
      // A full disk is not helped by a beginning that stays on it. Any other is for the next who comes, at once.
      if (isFileSystemError(error)) await rm(partial, { force: true }).catch(() => {});
      else await utimes(partial, 0, 0).catch(() => {});
      throw error;
    }
  }
  throw new JanusError(
    "E_IO",
    `fetching ${quote(options.path)}: expected to find what was written to ${quote(dirname(blob), 200)}, found it removed, ${TRIES} times in a row; does something empty that folder?`,
    { origin: "output" },
  );
}

/** False when the file is gone: its process slept so long that another took it over, or somebody emptied the cache. */
async function movedInto(partial: string, blob: string): Promise<boolean> {
  try {
    await moveInto(partial, blob);
    return true;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    return false;
  }
}

/** Brings a beginning to its full length, on the disk when it returns. Undefined when it is what it should be, else what it is. */
async function complete(
  partial: string,
  file: Known,
  read: ReadBlob,
  { signal, onBytes }: BlobOptions,
): Promise<string | undefined> {
  const known = digestOf(file);
  const hash = known === undefined ? undefined : hashFor(known, file.size);
  const handle = await open(partial, "a+");
  // Others see by its time that somebody is at work, however long the server takes.
  const working = setInterval(() => void handle.utimes(new Date(), new Date()).catch(() => {}), IDLE_MS / 4);
  try {
    let done = await hashBeginning(handle, file.size, hash, signal);
    onBytes?.(done);
    for await (const piece of piecesOf(done, file.size, read, signal)) {
      for (let written = 0; written < piece.length; )
        written += (await handle.write(piece, written, piece.length - written)).bytesWritten;
      hash?.update(piece);
      done += piece.length;
      onBytes?.(done);
    }
    await handle.sync();
    if (done !== file.size) return `${done} bytes`;
  } finally {
    clearInterval(working);
    await handle.close();
  }
  const digest = hash?.digest("hex");
  return digest === undefined || digest === known ? undefined : digest;
}

/** Reads what is there through the hash; its length. */
async function hashBeginning(
  handle: FileHandle,
  size: number,
  hash: Hash | undefined,
  signal?: AbortSignal,
): Promise<number> {
  if ((await handle.stat()).size > size) await handle.truncate(0);
  const room = new Uint8Array(PIECE);
  for (let at = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(room, 0, PIECE, at);
    if (bytesRead === 0) return at;
    hash?.update(room.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** The rest of a file in order, some of it ahead. When the consumer leaves, or a piece fails, the others are stopped. */
async function* piecesOf(
  from: number,
  size: number,
  read: ReadBlob,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const leaving = new AbortController();
  const ending = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
  const ahead: Promise<Uint8Array>[] = [];
  let next = from;
  const ask = async (offset: number): Promise<Uint8Array> => {
    const piece = new Uint8Array(Math.min(PIECE, size - offset));
    await read(offset, piece, ending);
    return piece;
  };
  try {
    for (let at = from; at < size; at += PIECE) {
      for (; ahead.length < WINDOW && next < size; next += PIECE) {
        const asked = ask(next);
        asked.catch(() => undefined); // Awaited in its turn, unless one before it fails.
        ahead.push(asked);
      }
      yield await ahead.shift()!;
    }
  } finally {
    leaving.abort();
    await Promise.allSettled(ahead);
  }
}

function mismatch(path: string, file: Known, found: string): JanusError {
  return new JanusError(
    "E_INTEGRITY",
    `fetching ${quote(path)}: expected ${file.size} bytes of digest ${contentOf(file)}, found ${found}; fetch it again`,
    { origin: "model" },
  );
}
