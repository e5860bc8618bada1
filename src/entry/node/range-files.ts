import { createHash } from "node:crypto";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RangeFiles } from "../range-folder.js";
import { publish, sweepCache } from "./publish.js";

/** The files of a folder on disk. Names are given to complete files alone, so that several processes may write one folder. */
export function rangeFiles(path: string): RangeFiles {
  return {
    async list() {
      const names = await readdir(path).catch(() => []);
      if (names.some((name) => name.startsWith("."))) await sweepCache(path);
      return names;
    },
    read: (name, size, offset, target) => readFully(join(path, name), size, offset, target),
    write: (name, bytes) => publish(join(path, name), bytes),
    remove: (name) => rm(join(path, name), { force: true }).catch(() => {}),
    sha256: (bytes) => createHash("sha256").update(bytes).digest("hex"),
  };
}

async function readFully(path: string, size: number, offset: number, target: Uint8Array): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (!file) return false;
  try {
    if ((await file.stat()).size !== size) return false;
    const { bytesRead } = await file.read(target, 0, target.length, offset);
    return bytesRead === target.length;
  } catch {
    return false;
  } finally {
    await file.close();
  }
}
