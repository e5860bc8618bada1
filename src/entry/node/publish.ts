/** Cache files that are complete or absent, whoever else writes the same ones: a temporary name of this process, and one atomic step to the final name. */
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder } from "./make-folder.js";
import { forgetPartial, newPartial, sweepPartials } from "./partial.js";

/** What temporary names are made of: one for all, so that what a killed process left in a folder is found at once. */
const NAME = "cache";

/**
 * Writes a cache file and its folders. What is there already is replaced, by as good a file. Nothing is synced: a cache is checked when it is read.
 *
 * @throws whatever the file system says.
 */
export async function publish(path: string, bytes: Uint8Array | string): Promise<void> {
  await makeFolder(dirname(path));
  const partial = newPartial(join(dirname(path), NAME));
  try {
    await writeFile(partial, bytes, { flag: "wx" });
    await moveInto(partial, path);
  } finally {
    await rm(partial, { force: true }).catch(() => {});
    forgetPartial(partial);
  }
}

/** Removes what processes that are gone left half-written in a folder of cache files. */
export function sweepCache(folder: string): Promise<void> {
  return sweepPartials(join(folder, NAME));
}

/** Gives a complete file its final name. Where a file that somebody has open cannot be replaced (Windows), one that is there already is as good. */
export async function moveInto(partial: string, path: string): Promise<void> {
  try {
    await rename(partial, path);
  } catch (error) {
    const [made, there] = await Promise.all([stat(partial), stat(path).catch(() => undefined)]);
    if (there?.isFile() !== true || there.size !== made.size) throw error;
  }
}
