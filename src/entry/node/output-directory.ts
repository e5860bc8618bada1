/**
 * Output directories that are complete or absent: built under a temporary name in the same folder, every file and the directory synced,
 * then renamed. With `force` an earlier directory is moved aside, replaced and removed, but only when it holds nothing else than files
 * of the names being written: `--force` on the wrong folder must not cost anybody a folder.
 */
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { JanusError, quote } from "../../errors.js";
import {
  type Chunks,
  type OutputOptions,
  overwriteHead,
  refuseFullDisk,
  refuseUnwritableFolder,
  syncFolder,
  writeSynced,
} from "./output.js";
import { errorCode, existingOutput, outputError, quotePath } from "./output-error.js";
import { forgetPartial, newPartial, sweepPartials } from "./partial.js";

export interface OutputFile {
  readonly name: string;
  readonly chunks: Chunks;
  /** What it begins with, in place of as many bytes of the first chunk, asked for when the chunks of all files are written. */
  readonly head?: () => Uint8Array;
}

export interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
}

/** What rename(2) answers when a directory that is not empty, or a file, has taken the name meanwhile. */
const TAKEN: ReadonlySet<string> = new Set(["ENOTEMPTY", "EEXIST", "ENOTDIR", "EISDIR"]);

/**
 * Writes the directory `path` with the given files. On any error or abort it is as it was before: absent, or the earlier one.
 *
 * @returns every file and its bytes.
 * @throws JanusError E_USAGE (as `refuseExistingDirectory`), E_IO of origin "output"; the signal's reason; whatever the chunks throw.
 */
export async function writeDirectoryAtomically(
  path: string,
  files: readonly OutputFile[],
  options: OutputOptions = {},
): Promise<WrittenFile[]> {
  const { force = false, signal, expectedBytes } = options;
  const names = files.map(({ name }) => name);
  signal?.throwIfAborted();
  await refuseExistingDirectory(path, force, names);
  const target = resolve(path);
  await sweepPartials(target);
  if (expectedBytes !== undefined) await refuseFullDisk(target, expectedBytes);
  const partial = newPartial(target);
  try {
    const written = await build(partial, path, files, signal);
    if (force) await replace(partial, path, names);
    else await renameNew(partial, path);
    await syncFolder(dirname(target), path);
    return written;
  } finally {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    forgetPartial(partial);
  }
}

/**
 * Refuses an output directory before any work is done for it.
 *
 * @throws JanusError E_USAGE when something has this name and `force` is not given, or when it is not a directory of only `names`;
 * E_IO of origin "output" when its parent is missing or cannot be written to.
 */
export async function refuseExistingDirectory(path: string, force: boolean, names: readonly string[]): Promise<void> {
  if (path === "")
    throw new JanusError("E_USAGE", `write "": expected the name of a folder, got nothing; name a folder`);
  const target = resolve(path);
  const found = await lstat(target).catch((error) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw outputError(path, error);
  });
  if (found && !force) throw existingOutput(path);
  if (found && !found.isDirectory()) {
    throw new JanusError(
      "E_USAGE",
      `write ${quotePath(path)}: expected a folder or nothing, got a file; remove it first`,
    );
  }
  if (found) await refuseForeignFiles(path, names);
  await refuseUnwritableFolder(target);
}

async function refuseForeignFiles(path: string, names: readonly string[]): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw outputError(path, error);
  });
  const foreign = entries.find((entry) => !entry.isFile() || !names.includes(entry.name));
  if (!foreign) return;
  throw new JanusError(
    "E_USAGE",
    `write ${quotePath(path)}: it holds ${quote(foreign.name)}, which overwriting would lose; remove it or name another output`,
  );
}

async function build(
  partial: string,
  path: string,
  files: readonly OutputFile[],
  signal: AbortSignal | undefined,
): Promise<WrittenFile[]> {
  const written: WrittenFile[] = [];
  await mkdir(partial).catch((error) => {
    throw outputError(path, error);
  });
  for (const { name, chunks } of files) {
    signal?.throwIfAborted();
    const bytes = await writeSynced(join(partial, name), join(path, name), chunks, signal);
    written.push({ name, bytes });
  }
  for (const { name, head } of files) {
    signal?.throwIfAborted();
    if (head) await overwriteHead(join(partial, name), join(path, name), head());
  }
  signal?.throwIfAborted();
  await syncFolder(partial, path);
  return written;
}

/** rename(2) replaces an empty directory, which loses nothing, and fails on anything else that has appeared. */
async function renameNew(partial: string, path: string): Promise<void> {
  await rename(partial, resolve(path)).catch((error) => {
    throw TAKEN.has(errorCode(error)) ? existingOutput(path) : outputError(path, error);
  });
}

async function replace(partial: string, path: string, names: readonly string[]): Promise<void> {
  const target = resolve(path);
  // Not a partial name: what was somebody's complete output is never swept, whatever happens here.
  const aside = join(dirname(target), `.${basename(target)}.old.${process.pid}.${randomBytes(4).toString("hex")}`);
  const moved = await rename(target, aside).then(
    () => true,
    (error) => {
      if (errorCode(error) === "ENOENT") return false;
      throw outputError(path, error);
    },
  );
  try {
    if (moved) await refuseForeignFiles(aside, names);
    await renameNew(partial, path);
  } catch (error) {
    if (moved) await rename(aside, target);
    throw error;
  }
  if (!moved) return;
  await rm(aside, { recursive: true }).catch((error) => {
    throw outputError(path, error);
  });
}
