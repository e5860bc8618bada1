/** What interrupted processes left of a file that was being fetched, and how one of them goes to the next process and to no other. */
import { randomBytes } from "node:crypto";
import { constants, copyFile, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * A beginning that was not touched for so long is nobody's; whoever is at work touches it more often. Process numbers say nothing: containers that share a
 * disk all have a process 1, and often one host name.
 */
export const IDLE_MS = 60_000;

/** As huggingface_hub ends the names of what it has not finished. */
const SUFFIX = ".incomplete";

interface Beginning {
  readonly path: string;
  readonly size: number;
}

/**
 * A new file of a name that nobody else knows, with the longest beginning of `blob` that nobody is working on, or empty. The beginning is copied: a process that
 * only slept still has the old file open, and what it appends must not end up in the new one.
 *
 * @throws whatever the file system says.
 */
export async function adoptBeginning(blob: string): Promise<{ partial: string; size: number }> {
  const [longest, ...shorter] = await idleBeginnings(blob);
  const copied = longest && (await adoptedCopy(blob, longest));
  if (copied) {
    for (const { path } of shorter) await rm(path, { force: true }).catch(() => {});
    return copied;
  }
  const partial = newName(blob);
  await (await open(partial, "wx")).close();
  return { partial, size: 0 };
}

/** Those that nobody is working on, the longest first. */
async function idleBeginnings(blob: string): Promise<Beginning[]> {
  const folder = dirname(blob);
  const left: Beginning[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix(blob)) || !name.endsWith(SUFFIX)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found && found.mtimeMs < Date.now() - IDLE_MS) left.push({ path, size: found.size });
  }
  return left.sort((a, b) => b.size - a.size);
}

/** Moving a beginning claims it: of two processes one succeeds. Undefined for the other, and where there is no room for a copy. */
async function adoptedCopy(blob: string, { path }: Beginning): Promise<{ partial: string; size: number } | undefined> {
  const claimed = newName(blob);
  const partial = newName(blob);
  try {
    await rename(path, claimed);
    await utimes(claimed, new Date(), new Date());
    await copyFile(claimed, partial, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return { partial, size: (await stat(partial)).size };
  } catch {
    await rm(partial, { force: true }).catch(() => {});
    return undefined;
  } finally {
    await rm(claimed, { force: true }).catch(() => {});
  }
}

function newName(blob: string): string {
  return join(dirname(blob), `${prefix(blob)}${randomBytes(8).toString("hex")}${SUFFIX}`);
}

function prefix(blob: string): string {
  return `${basename(blob)}.janus-`;
}
