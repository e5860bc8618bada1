import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RangeFolder } from "../range-folder.js";
import { contentOf, type Known, parseRecord, recordText, type WeightStore } from "../weight-store.js";
import { isFileSystemError } from "./output-error.js";
import { publish } from "./publish.js";
import { rangeFiles } from "./range-files.js";

/**
 * The part of the store on disk that belongs to one remote directory: a hub's repository, or a URL. Of each path it has a record (size and ETag, by revision),
 * and of each content, by ETag, the ranges that were fetched:
 *
 *     ranges/<name>--<digest of the directory's URL>/
 *       files/<digest of revision and path>.json
 *       <digest of path, ETag and size>/<first>-<length>-<digest of the bytes>
 */
export class RangeStore implements WeightStore {
  readonly path: string;
  readonly #folders = new Map<string, Promise<RangeFolder>>();

  /** @param url names the remote directory. */
  constructor(root: string, url: string) {
    const { host, pathname } = new URL(url);
    const name = `${host}${pathname}`.replaceAll(/[^\w.-]+/g, "-").replace(/-$/, "");
    this.path = join(root, `${name.slice(-80)}--${digest(url)}`);
  }

  /** The ranges of a file; undefined of one without an ETag, whose content could change unseen. */
  async ranges(path: string, file: Known): Promise<RangeFolder | undefined> {
    const content = contentOf(file);
    if (content === undefined) return undefined;
    const folder = join(this.path, digest(path, content, `${file.size}`));
    const opening = this.#folders.get(folder) ?? RangeFolder.open(rangeFiles(folder));
    this.#folders.set(folder, opening);
    return opening;
  }

  /** What was found out earlier; undefined when nothing was, or the record is damaged. */
  async known(revision: string, path: string): Promise<Known | undefined> {
    const text = await readFile(this.#record(revision, path), "utf8").catch(() => "");
    return parseRecord(path, text);
  }

  /** Records what was found out. @throws whatever the file system says. */
  async remember(revision: string, path: string, file: Known): Promise<void> {
    const text = recordText(path, file);
    if (text !== undefined) await publish(this.#record(revision, path), text);
  }

  isRefusal(error: unknown): boolean {
    return isFileSystemError(error);
  }

  #record(revision: string, path: string): string {
    return join(this.path, "files", `${digest(revision, path)}.json`);
  }
}

/** 128 bits of a digest of texts: a name of any of them. */
function digest(...texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 32);
}
