import type { RemoteFile } from "../weights/remote-source.js";
import type { RangeFolder } from "./range-folder.js";

/** What was found out about a file of a remote directory. */
export type Known = Pick<RemoteFile, "size" | "etag" | "sha256" | "commit">;

/** What tells one content of a file from another; undefined where nothing does. */
export function contentOf({ sha256, etag }: Known): string | undefined {
  return sha256 ?? etag;
}

/** The digest that a model hub names a content by: SHA-256, or SHA-1 as git names blobs. Undefined where the server's ETag is neither, and proves nothing. */
export function digestOf(file: Known): string | undefined {
  const name = contentOf(file) ?? "";
  return /^(?:[0-9a-f]{64}|[0-9a-f]{40})$/.test(name) ? name : undefined;
}

/** What a host keeps of one remote directory: of each path a record (size and ETag, by revision), and of each content, by ETag, the ranges that were fetched. */
export interface WeightStore {
  /** What messages call it. */
  readonly path: string;
  /** The ranges of a file; undefined of one whose content could change unseen. */
  ranges(path: string, file: Known): Promise<RangeFolder | undefined>;
  /** What was found out earlier; undefined when nothing was, or the record is damaged. */
  known(revision: string, path: string): Promise<Known | undefined>;
  /** Records what was found out. @throws whatever the storage says. */
  remember(revision: string, path: string, file: Known): Promise<void>;
  /** Whether an error is the storage's own: it is full, read-only, or gone. */
  isRefusal(error: unknown): boolean;
}

/** What a remote directory is named by. A signature in a URL is another one every time, and a password is not written anywhere. */
export function placeOf(url: string): string {
  const plain = new URL(url);
  plain.username = plain.password = plain.search = plain.hash = "";
  return plain.href.replace(/\/*$/, "/");
}

/** Longer than any record of ours, however long its path. */
const MAX_RECORD = 64 * 2 ** 10;

/** A record as text; undefined of one that is longer than records are. */
export function recordText(path: string, { size, etag, sha256, commit }: Known): string | undefined {
  const text = JSON.stringify({ path, size, etag, sha256, commit });
  return text.length <= MAX_RECORD ? text : undefined;
}

/** The record of a path; undefined where the text is damaged, or of another path. */
export function parseRecord(path: string, text: string): Known | undefined {
  try {
    const record = JSON.parse(text);
    const { size, etag, sha256, commit } = record;
    const texts = [etag, sha256, commit].every((one) => one === undefined || typeof one === "string");
    return record.path === path && Number.isSafeInteger(size) && size >= 0 && texts ? record : undefined;
  } catch {
    return undefined;
  }
}
