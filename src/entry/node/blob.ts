/** Whole files that are fetched into Hugging Face's cache: complete under their final name, and taken up again where an earlier process stopped. */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { JanusError, quote } from "../../errors.js";
import { isFileSystemError } from "./output-error.js";
import { isAlive, STALE_MS } from "./partial.js";
import { moveInto } from "./publish.js";
import { contentOf, type Known } from "./range-store.js";

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

/** Beginnings that this process is writing: its number alone does not tell them from those of an earlier one with the same. */
const OWN = new Set<string>();

/**
 * Fetches a file to `blob`, unless that is there in full. What an interrupted process left of it is continued. The length is compared, and the digest where its
 * name is one (SHA-256, or SHA-1 as git names blobs); a continued file that does not hold is fetched anew.
 *
 * @throws JanusError E_INTEGRITY; whatever `read` throws; the signal's reason; whatever the file system says.
 */
export async function fetchBlob(blob: string, file: Known, read: ReadBlob, options: BlobOptions): Promise<void> {
  options.signal?.throwIfAborted();
  if ((await stat(blob).catch(() => undefined))?.size === file.size) return;
  await mkdir(dirname(blob), { recursive: true });
  for (;;) {
    const { partial, size } = await adopt(blob);
    try {
      const found = await complete(partial, file, read, options);
      if (found === undefined) {
        await moveInto(partial, blob);
        return;
      }
      await rm(partial, { force: true });
      if (size === 0) throw mismatch(options.path, file, found);
    } catch (error) {
      // A full disk is not helped by a beginning that stays on it.
      if (isFileSystemError(error)) await rm(partial, { force: true }).catch(() => {});
      throw error;
    } finally {
      OWN.delete(partial);
    }
  }
}

/** A new name for the longest beginning that nobody is working on, or for a new file. Moving it claims it: of two processes one succeeds. */
async function adopt(blob: string): Promise<{ partial: string; size: number }> {
  const folder = dirname(blob);
  const partial = join(folder, `${prefix(blob)}${process.pid}.${randomBytes(4).toString("hex")}${SUFFIX}`);
  OWN.add(partial);
  const left: { path: string; size: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const pid = name.startsWith(prefixOfAll(blob)) && /\.(\d+)\.[0-9a-f]{8}\.incomplete$/.exec(name)?.[1];
    if (!pid || OWN.has(path)) continue;
    const found = await stat(path).catch(() => undefined);
    // Of a process on another machine that shares this disk nothing is known but when it wrote last.
    const working = !name.startsWith(prefix(blob)) || (Number(pid) !== process.pid && isAlive(Number(pid)));
    if (found && (!working || found.mtimeMs < Date.now() - STALE_MS)) left.push({ path, size: found.size });
  }
  left.sort((a, b) => b.size - a.size);
  for (const [index, { path, size }] of left.entries()) {
    const claimed = await rename(path, partial).then(
      () => true,
      () => false,
    );
    if (!claimed) continue;
    for (const shorter of left.slice(index + 1)) await rm(shorter.path, { force: true }).catch(() => {});
    return { partial, size };
  }
  return { partial, size: 0 };
}

const SUFFIX = ".incomplete";

/** Beside the blob, as huggingface_hub names what it has not finished; the machine is in the name because process numbers are its own. */
function prefix(blob: string): string {
  return `${prefixOfAll(blob)}${createHash("sha256").update(hostname()).digest("hex").slice(0, 8)}.`;
}

function prefixOfAll(blob: string): string {
  return `${basename(blob)}.janus-`;
}

/** Brings a beginning to its full length, on the disk when it returns. Undefined when it is what it should be, else what it is. */
async function complete(
  partial: string,
  file: Known,
  read: ReadBlob,
  { signal, onBytes }: BlobOptions,
): Promise<string | undefined> {
  const hash = hashOf(file);
  const handle = await open(partial, "a+");
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
    await handle.close();
  }
  const digest = hash?.digest("hex");
  return digest === undefined || digest === contentOf(file) ? undefined : digest;
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

/** Hubs name contents by digests; what another server says is not one. */
function hashOf(file: Known): Hash | undefined {
  const name = contentOf(file) ?? "";
  if (/^[0-9a-f]{64}$/.test(name)) return createHash("sha256");
  if (/^[0-9a-f]{40}$/.test(name)) return createHash("sha1").update(`blob ${file.size}\0`);
  return undefined;
}

function mismatch(path: string, file: Known, found: string): JanusError {
  return new JanusError(
    "E_INTEGRITY",
    `fetching ${quote(path)}: expected ${file.size} bytes of digest ${contentOf(file)}, found ${found}; fetch it again`,
    { origin: "model" },
  );
}
