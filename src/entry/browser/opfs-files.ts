import { sha256, unshared } from "../../weights/sha256.js";
import type { RangeFiles } from "../range-folder.js";

/**
 * The files of a folder of the origin-private file system. A file has its name before its content, which comes in one step when it is complete: what was cut short is empty.
 * All of this happens beside the calling thread, in a page and in every kind of worker, and in several tabs at once.
 */
export function opfsFiles(parent: FileSystemDirectoryHandle, folder: string): RangeFiles {
  let opened: Promise<FileSystemDirectoryHandle> | undefined;
  const open = async (create: boolean): Promise<FileSystemDirectoryHandle> => {
    opened ??= parent.getDirectoryHandle(folder, { create });
    try {
      return await opened;
    } catch (error) {
      opened = undefined; // There may be one by the next time.
      throw error;
    }
  };
  return {
    async list() {
      const names: string[] = [];
      try {
        for await (const name of (await open(false)).keys()) names.push(name);
      } catch {
        // What cannot be listed is not there.
      }
      return names;
    },
    async read(name, size, offset, target) {
      try {
        const bytes = await readBytes(await open(false), name, size, offset, target.length);
        if (bytes) target.set(bytes);
        return bytes !== undefined;
      } catch {
        return false;
      }
    },
    write: async (name, bytes) => writeOpfsFile(await open(true), name, unshared(bytes)),
    remove: async (name) => removeEntry(await open(false).catch(() => undefined), name),
    sha256,
  };
}

/** Writes a file in one step; where that fails nothing is left of it. @throws what the browser says: a DOMException, QuotaExceededError among them. */
export async function writeOpfsFile(
  folder: FileSystemDirectoryHandle,
  name: string,
  content: Uint8Array<ArrayBuffer> | string,
): Promise<void> {
  const file = await folder.getFileHandle(name, { create: true });
  let writable: FileSystemWritableFileStream | undefined;
  try {
    writable = await file.createWritable();
    await writable.write(content);
    await writable.close();
  } catch (error) {
    await writable?.abort().catch(() => {});
    await removeEntry(folder, name);
    throw error;
  }
}

/** Removes a file or a folder with all that it holds. One that is in use, or gone, is left to the next time. */
export async function removeEntry(folder: FileSystemDirectoryHandle | undefined, name: string): Promise<void> {
  await folder?.removeEntry(name, { recursive: true }).catch(() => {});
}

async function readBytes(
  folder: FileSystemDirectoryHandle,
  name: string,
  size: number,
  offset: number,
  length: number,
): Promise<Uint8Array | undefined> {
  const file = await (await folder.getFileHandle(name)).getFile();
  if (file.size !== size) return undefined;
  const bytes = new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
  return bytes.length === length ? bytes : undefined;
}
