import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RemoteFile } from "../../weights/remote-source.js";
import { publish } from "./publish.js";
import { RangeFolder } from "./range-folder.js";

/** What was found out about a file of a remote directory. */
export type Known = Pick<RemoteFile, "size" | "etag" | "sha256" | "commit">;

/** What tells one content of a file from another; undefined where nothing does. */
export function contentOf({ sha256, etag }: Known): string | undefined {
  return sha256 ?? etag;
}

/** Longer than any record of ours, however long its path. */
const MAX_RECORD = 64 * 2 ** 10;

/**
 * The part of the store on disk that belongs to one remote directory: a hub's repository, or a URL. Of each path it has a record (size and ETag, by revision),
 * and of each content, by ETag, the ranges that were fetched:
 *
 *     ranges/<name>--<digest of the directory's URL>/
 *       files/<digest of revision and path>.json
 *       <digest of path, ETag and size>/<first>-<length>-<digest of the bytes>
 */
export class RangeStore {
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
    const opening = this.#folders.get(folder) ?? RangeFolder.open(folder);
    this.#folders.set(folder, opening);
    return opening;
  }

  /** What was found out earlier; undefined when nothing was, or the record is damaged. */
  async known(revision: string, path: string): Promise<Known | undefined> {
    try {
      const record = JSON.parse(await readFile(this.#record(revision, path), "utf8"));
      const { size, etag, sha256, commit } = record;
      const texts = [etag, sha256, commit].every((text) => text === undefined || typeof text === "string");
      if (record.path !== path || !Number.isSafeInteger(size) || size < 0 || !texts) return undefined;
      return record;
    } catch {
      return undefined;
    }
  }

  /** Records what was found out. @throws whatever the file system says. */
  async remember(revision: string, path: string, { size, etag, sha256, commit }: Known): Promise<void> {
    const text = JSON.stringify({ path, size, etag, sha256, commit });
    if (text.length <= MAX_RECORD) await publish(this.#record(revision, path), text);
  }

  #record(revision: string, path: string): string {
    return join(this.path, "files", `${digest(revision, path)}.json`);
  }
}

/** 128 bits of a digest of texts: a name of any of them. */
function digest(...texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 32);
}
