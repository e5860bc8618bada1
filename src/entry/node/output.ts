/**
 * Output files that are complete or absent: a temporary file in the same folder, fsync, one atomic step to the final name, fsync of the
 * folder.
 *
 * An existing name is never replaced without `force`, also when it appeared while the file was being written. With `force` the *name*
 * is replaced: of a symbolic link the link itself, never the file it points to. Folders, devices and pipes are refused in any case.
 */
import { constants } from "node:fs";
import { access, link, lstat, open, rename, rm, stat, statfs, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { JanusError } from "../../errors.js";
import { errorCode, existingOutput, outputError, quotePath } from "./output-error.js";
import { forgetPartial, newPartial, sweepPartials } from "./partial.js";

export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface OutputOptions {
  /** Replace what has this name. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes to come: the free space is checked before anything is written, and the sum after. */
  readonly expectedBytes?: number | undefined;
}

/** One file of a set. */
export interface SetFile {
  readonly path: string;
  readonly chunks: Chunks;
  readonly expectedBytes?: number | undefined;
}

/** One call of write(2) takes less than 2 GiB; smaller pieces also let an abort through. */
const PIECE = 64 * 2 ** 20;
/** Blocks and metadata of a file system come on top of the bytes themselves. */
const SPACE_MARGIN = 1.05;
/** What file systems without hard links (FAT, exFAT, some network and FUSE mounts) answer to link(2). */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "EINVAL"]);
/** What opening or syncing a folder answers where that cannot be done: Windows, folders without read permission. */
const NO_FOLDER_SYNC: ReadonlySet<string> = new Set(["EPERM", "EACCES", "EISDIR", "EINVAL", "ENOTSUP"]);

/**
 * Writes `chunks` to `path`. On any error or abort nothing is left behind, and what was there before is still there.
 *
 * @returns the number of bytes written.
 * @throws JanusError E_USAGE (as `refuseExisting`), E_IO of origin "output"; the signal's reason; whatever `chunks` throws.
 */
export async function writeAtomically(path: string, chunks: Chunks, options: OutputOptions = {}): Promise<number> {
  const { expectedBytes, ...rest } = options;
  const [written = 0] = await writeSetAtomically([{ path, chunks, expectedBytes }], rest);
  return written;
}

/**
 * Writes files that belong together. None has its name before all are complete; on an error none of them is left, except that with
 * `force` those that had their names already, when a later one could not be renamed, stay in place of the earlier ones.
 *
 * @returns the number of bytes of each.
 * @throws as `writeAtomically`.
 */
export async function writeSetAtomically(
  files: readonly SetFile[],
  { force = false, signal }: Omit<OutputOptions, "expectedBytes"> = {},
): Promise<number[]> {
  signal?.throwIfAborted();
  for (const { path } of files) await refuseExisting(path, force);
  await sweepPartials(...files.map(({ path }) => resolve(path)));
  const expected = files.reduce((sum, { expectedBytes = 0 }) => sum + expectedBytes, 0);
  if (files[0] && expected > 0) await refuseFullDisk(files[0].path, expected);
  const partials: string[] = [];
  try {
    const written: number[] = [];
    for (const file of files) {
      partials.push(newPartial(resolve(file.path)));
      written.push(await writeWhole(partials.at(-1)!, file, signal));
    }
    signal?.throwIfAborted();
    await publishAll(partials, files, force);
    return written;
  } finally {
    for (const partial of partials) {
      await rm(partial, { force: true }).catch(() => {});
      forgetPartial(partial);
    }
  }
}

async function writeWhole(
  partial: string,
  { path, chunks, expectedBytes }: SetFile,
  signal: AbortSignal | undefined,
): Promise<number> {
  const written = await writeSynced(partial, path, chunks, signal);
  if (expectedBytes !== undefined && written !== expectedBytes) {
    throw new JanusError("E_INTERNAL", `write ${quotePath(path)}: expected ${expectedBytes} bytes, got ${written}`);
  }
  return written;
}

/**
 * Refuses an output before any work is done for it.
 *
 * @throws JanusError E_USAGE when something has this name and `force` is not given, or when it is not a file; E_IO of origin "output"
 * when its folder is missing or cannot be written to.
 */
export async function refuseExisting(path: string, force: boolean): Promise<void> {
  if (path === "" || /[/\\]$/.test(path)) throw notFile(path, "the name of a folder");
  const named = await lstat(path).catch((error) => absentOrThrow(path, error));
  if (named) {
    // Judged by what a link leads to: /dev/stdout is a link. One that leads nowhere is judged by itself.
    const found = await stat(path).catch(() => named);
    if (found.isDirectory()) throw notFile(path, "a folder");
    if (!found.isFile() && !found.isSymbolicLink()) throw notFile(path, "a device, pipe or socket");
    if (!force) throw existingOutput(path);
  }
  await refuseUnwritableFolder(path);
}

/** @throws JanusError E_IO of origin "output" when the folder of an output is missing or cannot be written to. */
export async function refuseUnwritableFolder(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw outputError(path, error);
  }
}

/** @throws JanusError E_IO of origin "output" when the disk has less room than an output needs. A file system that does not say passes. */
export async function refuseFullDisk(path: string, bytes: number): Promise<void> {
  const room = await inputOutput(path, statfs(dirname(resolve(path))));
  const free = room.bavail * room.bsize;
  const needed = Math.ceil(bytes * SPACE_MARGIN);
  if (room.blocks === 0 || free >= needed) return;
  throw new JanusError(
    "E_IO",
    `write ${quotePath(path)}: needs ${needed} bytes of disk, ${free} are free; free space or choose another folder`,
    { origin: "output" },
  );
}

/** Creates `file` with the content of `chunks`, on the disk when it returns. `path` is what messages call it. */
export async function writeSynced(
  file: string,
  path: string,
  chunks: Chunks,
  signal: AbortSignal | undefined,
): Promise<number> {
  const handle = await inputOutput(path, open(file, "wx"));
  let total = 0;
  try {
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.byteLength; ) {
        signal?.throwIfAborted();
        const length = Math.min(PIECE, chunk.byteLength - done);
        const { bytesWritten } = await inputOutput(path, handle.write(chunk, done, length));
        done += bytesWritten;
      }
      total += chunk.byteLength;
    }
    await inputOutput(path, handle.sync());
  } finally {
    await handle.close();
  }
  return total;
}

/** Puts `bytes` in place of the first ones of a file that is as long, on the disk when it returns. `path` is what messages call it. */
export async function overwriteHead(file: string, path: string, bytes: Uint8Array): Promise<void> {
  const handle = await inputOutput(path, open(file, "r+"));
  try {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await inputOutput(path, handle.write(bytes, done, bytes.byteLength - done, done));
      done += bytesWritten;
    }
    await inputOutput(path, handle.sync());
  } finally {
    await handle.close();
  }
}

/** Makes the names in a folder durable, where the platform can. */
export async function syncFolder(folder: string, path: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(errorCode(error))) throw outputError(path, error);
  }
}

async function publishAll(partials: readonly string[], files: readonly SetFile[], force: boolean): Promise<void> {
  const published: string[] = [];
  try {
    for (const [i, { path }] of files.entries()) {
      await publish(partials[i]!, path, force);
      published.push(path);
    }
  } catch (error) {
    // Without force these names were nobody's: a part of the set is not left behind.
    if (!force) for (const path of published) await unlink(path).catch(() => {});
    throw error;
  }
  const folders = new Map(files.map(({ path }) => [dirname(resolve(path)), path]));
  for (const [folder, path] of folders) await syncFolder(folder, path);
}

async function publish(partial: string, path: string, force: boolean): Promise<void> {
  if (force) await inputOutput(path, rename(partial, path));
  else await linkNew(partial, path);
}

/** Unlike rename(2), link(2) fails when the name is taken: a file that appeared meanwhile survives. */
async function linkNew(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw existingOutput(path);
    if (!NO_LINKS.has(errorCode(error))) throw outputError(path, error);
    await renameNew(partial, path);
  }
}

/** Without hard links: takes the name by creating an empty file, which also fails when it is taken, and renames over that. */
async function renameNew(partial: string, path: string): Promise<void> {
  try {
    await (await open(path, "wx")).close();
  } catch (error) {
    throw errorCode(error) === "EEXIST" ? existingOutput(path) : outputError(path, error);
  }
  try {
    await rename(partial, path);
  } catch (error) {
    await unlink(path);
    throw outputError(path, error);
  }
}

async function inputOutput<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw outputError(path, error);
  }
}

function absentOrThrow(path: string, error: unknown): undefined {
  if (errorCode(error) === "ENOENT") return undefined;
  throw outputError(path, error);
}

function notFile(path: string, got: string): JanusError {
  return new JanusError("E_USAGE", `write ${quotePath(path)}: expected a file, got ${got}; name a file`);
}
