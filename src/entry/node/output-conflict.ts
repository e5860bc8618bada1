import { lstat, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { JanusError } from "../../errors.js";
import { quotePath } from "./output-error.js";

/**
 * Refuses an output that would replace what it is made from: a picture or another input file under whatever path, or any file in the
 * model's directory. `--force` is for an earlier output.
 *
 * @param inputs paths and `file:` URLs; anything else among them has no name on disk and is passed over.
 * @throws JanusError E_USAGE.
 */
export async function refuseInputAsOutput(output: string, model: string, inputs: readonly unknown[]): Promise<void> {
  const existing = await identity(output, lstat);
  if (existing === undefined) return;
  if ((await identity(dirname(resolve(output)), stat)) === (await identity(model, stat))) {
    throw new JanusError(
      "E_USAGE",
      `write ${quotePath(output)}: it lies in the model's directory, where nothing is replaced; name another output`,
    );
  }
  for (const input of inputs) {
    const path = localPath(input);
    if (path === undefined) continue;
    if (existing === (await identity(path, lstat)) || existing === (await identity(path, stat))) {
      throw new JanusError(
        "E_USAGE",
        `write ${quotePath(output)}: it is the input ${quotePath(path)}, which --force does not replace; name another output`,
      );
    }
  }
}

/** Which file a path leads to, by device and inode; undefined when it leads nowhere. */
async function identity(path: string, look: typeof stat | typeof lstat): Promise<string | undefined> {
  const found = await look(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

function localPath(input: unknown): string | undefined {
  if (typeof input !== "string") return undefined;
  if (!/^file:/i.test(input)) return input;
  try {
    return fileURLToPath(input);
  } catch {
    return undefined;
  }
}
