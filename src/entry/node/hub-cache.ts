import { copyFile, link, lstat, readFile, realpath, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isCommit } from "../../weights/hub-id.js";
import { makeFolder } from "./make-folder.js";
import { errorCode } from "./output-error.js";
import { forgetPartial, newPartial } from "./partial.js";
import { publish } from "./publish.js";

/** What a file system without symbolic links, or a user without the right to make them, answers to symlink(2) and link(2). */
const NO_LINKS: ReadonlySet<string> = new Set([
  "EPERM",
  "EACCES",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EINVAL",
  "EXDEV",
]);

/**
 * One repository in Hugging Face's own cache, as its Python package lays it out:
 *
 *     models--owner--name/
 *       refs/<revision>               the commit it was when it was last asked for
 *       blobs/<etag>                  contents; only under a digest that they were compared with, whatever Python may have put there
 *       snapshots/<commit>/<path>     links to blobs; copies where links are not possible
 *       .no_exist/<commit>/<path>     empty: the commit has no such file
 */
export class HubCache {
  readonly path: string;

  constructor(root: string, repo: string) {
    this.path = join(root, `models--${repo.replace("/", "--")}`);
  }

  /** The commit of a revision, as it was when it was last asked for. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.path, "refs", revision), "utf8").catch(() => "");
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** Remembers which commit a branch or tag is. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (!isCommit(revision) && (await this.commitOf(revision)) !== commit)
      await publish(join(this.path, "refs", revision), commit);
  }

  /** The folder of a commit's files. */
  snapshot(commit: string): string {
    return join(this.path, "snapshots", commit);
  }

  /** Whether a commit is known to have no such file. */
  async lacks(commit: string, path: string): Promise<boolean> {
    return (await stat(this.#absence(commit, path)).catch(() => undefined)) !== undefined;
  }

  async writeAbsence(commit: string, path: string): Promise<void> {
    await publish(this.#absence(commit, path), "");
  }

  /** It has the file after all. */
  async forgetAbsence(commit: string, path: string): Promise<void> {
    await rm(this.#absence(commit, path), { force: true });
  }

  /** Where the content of a digest lies, or will. */
  blob(digest: string): string {
    return join(this.path, "blobs", digest);
  }

  /** Gives a commit's file the content of a blob that is there. */
  async link(commit: string, path: string, blob: string): Promise<void> {
    const pointer = join(this.snapshot(commit), path);
    const folder = dirname(pointer);
    await makeFolder(folder);
    const partial = newPartial(pointer);
    try {
      // By way of the real folder, as the file system will: the cache itself may be a link.
      await symlinkOrCopy(
        join(relative(await realpath(folder), await realpath(dirname(blob))), nameOf(blob)),
        blob,
        partial,
      );
      await rename(partial, pointer).catch(async (error) => {
        // Somebody has it open, where that forbids replacing it.
        if (!(await lstat(pointer).catch(() => undefined))) throw error;
      });
    } finally {
      await rm(partial, { force: true }).catch(() => {});
      forgetPartial(partial);
    }
  }

  #absence(commit: string, path: string): string {
    return join(this.path, ".no_exist", commit, path);
  }
}

async function symlinkOrCopy(target: string, blob: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (!NO_LINKS.has(errorCode(error))) throw error;
    // The same content under both names, where the file system can, so that nothing takes twice the disk.
    await link(blob, path).catch(() => copyFile(blob, path));
  }
}

function nameOf(path: string): string {
  return relative(dirname(path), path);
}
