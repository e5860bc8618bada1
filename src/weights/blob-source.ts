import { quote } from "../errors.js";
import { filesSource, type HeldFile, kindOf, refuseFiles } from "./files-source.js";
import { unreadable } from "./refusals.js";
import type { WeightSource } from "./source.js";

/** Blobs by path, or the files that a person picked: `<input type="file" webkitdirectory>` gives such a list. */
export type Blobs = ReadonlyMap<string, Blob> | Readonly<Record<string, Blob>> | Iterable<File> | ArrayLike<File>;

/**
 * A checkpoint in Blobs or Files; only what is used is read of them. Files of a list are named by their path below the directory that was picked, or
 * by their name where they were picked one by one.
 *
 * @throws JanusError E_USAGE for what is not a Blob, or two files of one name.
 */
export function blobSource(blobs: Blobs): WeightSource {
  const { label, entries } = named(blobs);
  const files = new Map<string, HeldFile>();
  for (const [path, blob] of entries) {
    if (!(blob instanceof Blob)) throw refuseFiles("Blobs or Files by path, or a list of Files", kindOf(blob));
    if (files.has(path)) throw refuseFiles("every file once", `${quote(path)} twice`);
    files.set(path, { size: blob.size, slice: (begin, end) => sliceOf(blob, path, begin, end) });
  }
  return filesSource(label, files);
}

async function sliceOf(blob: Blob, path: string, begin: number, end: number): Promise<Uint8Array> {
  const buffer = await blob
    .slice(begin, end)
    .arrayBuffer()
    .catch((cause: unknown) => {
      const name = cause instanceof Error ? cause.name : String(cause);
      throw unreadable(quote(path), `expected its bytes, found ${name}; was it changed or moved since it was picked?`);
    });
  if (buffer.byteLength !== end - begin)
    throw unreadable(quote(path), `expected ${end - begin} bytes at ${begin}, found ${buffer.byteLength}`);
  return new Uint8Array(buffer);
}

function named(blobs: Blobs): { label: string; entries: Iterable<readonly [string, Blob]> } {
  if (blobs instanceof Map) return { label: "files", entries: blobs };
  if (!(Symbol.iterator in blobs) && !("length" in blobs)) return { label: "files", entries: Object.entries(blobs) };
  const list = Array.from(blobs as Iterable<File>);
  const picked = list.map((file) => relativePath(file));
  const [first] = picked;
  // All files of a picked directory begin with its name.
  const directory = first?.includes("/") ? first.slice(0, first.indexOf("/")) : undefined;
  const entries = list.map((file, i) => {
    const path = picked[i] ?? "";
    return [directory === undefined ? path : path.slice(path.indexOf("/") + 1), file] as const;
  });
  return { label: directory ?? "files", entries };
}

function relativePath(file: File): string {
  if (!(file instanceof Blob)) throw refuseFiles("Blobs or Files by path, or a list of Files", kindOf(file));
  const path = "webkitRelativePath" in file ? file.webkitRelativePath : "";
  const name = path === "" || path === undefined ? file.name : path;
  if (typeof name !== "string") throw refuseFiles("Files in a list, which have names", "a Blob");
  return name;
}
