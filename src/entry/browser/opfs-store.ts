import { sha256 } from "../../weights/sha256.js";
import { RangeFolder } from "../range-folder.js";
import { contentOf, type Known, parseRecord, recordText, type WeightStore } from "../weight-store.js";
import { opfsFiles, removeEntry, writeOpfsFile } from "./opfs-files.js";

/** All that this library keeps of an origin. */
export const ROOT_FOLDER = "janus-wasm";

/**
 * The part of the origin-private file system that belongs to one remote directory. Of each path it has one record, and the ranges of one content: with another ETag
 * there is another folder, and the old one goes. (On disk, Node keeps all of them.)
 *
 *     janus-wasm/<digest of the directory's URL>/
 *       <digest of path>.txt              digest, revision, and what was found out of the file
 *       <digest of path>-<digest of ETag and size>/<first>-<length>-<digest of the bytes>
 */
export class OpfsStore implements WeightStore {
  readonly path = "the origin-private file system";
  readonly #folder: FileSystemDirectoryHandle;
  readonly #onUnnamed: (path: string) => void;
  readonly #ranges = new Map<string, Promise<RangeFolder>>();

  private constructor(folder: FileSystemDirectoryHandle, onUnnamed: (path: string) => void) {
    this.#folder = folder;
    this.#onUnnamed = onUnnamed;
  }

  /**
   * @param place names the remote directory.
   * @param onUnnamed is told of files that are not kept because nothing names their content.
   * @throws what the browser says where it keeps nothing: it is old, the window is private, or the page is not in a secure context.
   */
  static async open(place: string, onUnnamed: (path: string) => void): Promise<OpfsStore> {
    const root = await navigator.storage.getDirectory();
    // Safari before 26 can write here in a dedicated worker alone.
    if (!("createWritable" in FileSystemFileHandle.prototype))
      throw new DOMException("createWritable is not there", "NotSupportedError");
    const folder = await root.getDirectoryHandle(ROOT_FOLDER, { create: true });
    return new OpfsStore(await folder.getDirectoryHandle(await digest(place), { create: true }), onUnnamed);
  }

  async ranges(path: string, file: Known): Promise<RangeFolder | undefined> {
    const content = await contentFolder(path, file);
    if (content === undefined) {
      this.#onUnnamed(path);
      return undefined;
    }
    const opening = this.#ranges.get(content) ?? RangeFolder.open(opfsFiles(this.#folder, content));
    this.#ranges.set(content, opening);
    return opening;
  }

  async known(revision: string, path: string): Promise<Known | undefined> {
    const last = await this.last(path);
    return last?.revision === revision ? last.file : undefined;
  }

  /** What was found out last, and of which revision. */
  async last(path: string): Promise<{ readonly revision: string; readonly file: Known } | undefined> {
    const record = await this.#folder
      .getFileHandle(await recordName(path))
      .then(async (handle) => (await handle.getFile()).text())
      .catch(() => "");
    const [sum, revision = "", text = ""] = record.split("\n");
    if (sum !== (await digest(revision, text))) return undefined;
    const file = parseRecord(path, text);
    return file && { revision, file };
  }

  async remember(revision: string, path: string, file: Known): Promise<void> {
    const text = recordText(path, file);
    const last = await this.last(path);
    const unchanged = last?.revision === revision && recordText(path, last.file) === text;
    if (text === undefined || unchanged) return;
    if (!last || contentOf(last.file) !== contentOf(file) || last.file.size !== file.size)
      await this.#removeOthers(path, file);
    const record = [await digest(revision, text), revision, text].join("\n");
    await writeOpfsFile(this.#folder, await recordName(path), record);
  }

  isRefusal(error: unknown): boolean {
    return error instanceof DOMException;
  }

  /** Removes what was kept of other contents of a path. */
  async #removeOthers(path: string, file: Known): Promise<void> {
    const [prefix, kept] = [`${await digest(path)}-`, await contentFolder(path, file)];
    for await (const name of this.#folder.keys())
      if (name.startsWith(prefix) && name !== kept) await removeEntry(this.#folder, name);
  }
}

/** The name of a content's folder; undefined of one that could change unseen. */
async function contentFolder(path: string, file: Known): Promise<string | undefined> {
  const content = contentOf(file);
  return content === undefined ? undefined : `${await digest(path)}-${await digest(content, `${file.size}`)}`;
}

async function recordName(path: string): Promise<string> {
  return `${await digest(path)}.txt`;
}

/** 128 bits of a digest of texts: a name of any of them. */
async function digest(...texts: readonly string[]): Promise<string> {
  return (await sha256(new TextEncoder().encode(JSON.stringify(texts)))).slice(0, 32);
}
