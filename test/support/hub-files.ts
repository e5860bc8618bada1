import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

/** What a server has under a path, in memory or on disk, and what it says of it. */
export interface ServedFile {
  readonly size: number;
  readonly type: string;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** SHA-256 of the content, in hexadecimal: the hub's name of a large file. */
  sha256(): Promise<string>;
  /** SHA-1 as git names a blob: the hub's name of a small file. */
  gitSha1(): Promise<string>;
}

/** Files in memory by path, or a directory. */
export type Files = Readonly<Record<string, Uint8Array | string>> | { readonly directory: string };

const PIECE_BYTES = 1 << 20;

export function typeOf(path: string): string {
  return /\.(json|txt|md)$/.test(path) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

/** Every path of a repository, sorted as the hub lists them. */
export function listFiles(files: Files): string[] {
  if (!onDisk(files)) return Object.keys(files).sort();
  return readdirSync(files.directory, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(files.directory, path)).isFile())
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

export function findFile(files: Files, path: string): ServedFile | undefined {
  if (!onDisk(files)) {
    const content = Object.hasOwn(files, path) ? files[path] : undefined;
    return content === undefined ? undefined : fileOfBytes(content, typeOf(path));
  }
  const full = join(files.directory, path);
  if (path.split("/").includes("..") || !existsSync(full) || !statSync(full).isFile()) return undefined;
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const handle = await open(full);
    try {
      return (await handle.read(new Uint8Array(length), 0, length, offset)).buffer;
    } finally {
      await handle.close();
    }
  };
  return served(statSync(full).size, typeOf(path), read, full);
}

/** One for the same bytes, so that a digest is computed once. */
const IN_MEMORY = new WeakMap<Uint8Array, ServedFile>();

export function fileOfBytes(content: Uint8Array | string, type: string): ServedFile {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const known = IN_MEMORY.get(bytes);
  if (known?.type === type) return known;
  const file = served(bytes.length, type, async (offset, length) => bytes.subarray(offset, offset + length));
  IN_MEMORY.set(bytes, file);
  return file;
}

function onDisk(files: Files): files is { readonly directory: string } {
  return Object.keys(files).join() === "directory";
}

/** Digests of files on disk, which do not change: a gigabyte takes seconds. Those in memory keep their own. */
const DIGESTS = new Map<string, Promise<string>>();

function served(size: number, type: string, read: ServedFile["read"], place?: string): ServedFile {
  const known = place === undefined ? new Map<string, Promise<string>>() : DIGESTS;
  const once = (algorithm: string, prefix = ""): Promise<string> => {
    const key = `${algorithm} ${place} ${size}`;
    const digest = known.get(key) ?? digestOf(algorithm, prefix, size, read);
    known.set(key, digest);
    return digest;
  };
  return { size, type, read, sha256: () => once("sha256"), gitSha1: () => once("sha1", `blob ${size}\0`) };
}

async function digestOf(algorithm: string, prefix: string, size: number, read: ServedFile["read"]): Promise<string> {
  const hash = createHash(algorithm).update(prefix);
  for (let at = 0; at < size; at += PIECE_BYTES) hash.update(await read(at, Math.min(PIECE_BYTES, size - at)));
  return hash.digest("hex");
}
