import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Creates a folder and those above it. @throws what the file system says of the first that it refuses. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw (await refusalOfFirst(path)) ?? error;
  }
}

/** On a read-only file system Node says ENOENT of the last folder, where mkdir(2) says EROFS of the first. */
async function refusalOfFirst(path: string): Promise<unknown> {
  for (let at = path; ; at = dirname(at)) {
    const above = dirname(at);
    if (above === at) return undefined;
    if (!(await stat(above).catch(() => undefined))) continue;
    return mkdir(at).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
}
