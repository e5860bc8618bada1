import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { JanusError, quote } from "../../errors.js";
import { givenSource } from "../given-source.js";
import type { ModelInput, ModelSource } from "../host.js";
import type { ProgressEvent } from "../options.js";
import { isHttp, type RemoteName, remoteName } from "../remote-name.js";
import { directorySource } from "./directory.js";

type OnProgress = (event: ProgressEvent) => void;

/**
 * The storage that `--model` names: an existing path wins, then a URL, then a hub id; what begins with `/` or `.` is never a hub id.
 * Files and a WeightSource of the caller's own are used as they are.
 *
 * @throws JanusError E_IO of origin "model"; E_USAGE for what is no model; what opening a checkpoint on a server throws.
 */
export async function openModelSource(
  model: ModelInput,
  signal?: AbortSignal,
  onProgress?: OnProgress,
): Promise<ModelSource> {
  signal?.throwIfAborted();
  if (model instanceof URL && model.protocol === "file:") return openPath(fileURLToPath(model));
  if (model instanceof URL) return openServed({ url: model.href }, signal, onProgress);
  return typeof model === "string" ? openPath(model, signal, onProgress) : givenSource(model);
}

async function openPath(model: string, signal?: AbortSignal, onProgress?: OnProgress): Promise<ModelSource> {
  const url = isHttp(model);
  const name = url ? "a URL" : quote(model, 200);
  const found = await stat(model).catch((cause: NodeJS.ErrnoException) => {
    // No file has a name as long as a signature.
    if (url || cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw new JanusError("E_IO", `opening ${name}: ${cause.code}; name a checkpoint directory`, {
      cause,
      origin: "model",
    });
  });
  if (found?.isDirectory()) return directorySource(model);
  if (found) {
    throw new JanusError(
      "E_IO",
      `opening ${name}: expected a checkpoint directory, got a file; name the directory it lies in`,
      { origin: "model" },
    );
  }
  const remote = remoteName(model);
  if (remote) return openServed(remote, signal, onProgress);
  throw new JanusError(
    "E_IO",
    `opening ${name}: no such directory; name a checkpoint directory, a URL or a hub id (owner/name)`,
    { origin: "model" },
  );
}

/** Most processes read directories, and start without what servers take. */
async function openServed(name: RemoteName, signal?: AbortSignal, onProgress?: OnProgress): Promise<ModelSource> {
  const { openRemote } = await import("./open-remote.js");
  return openRemote(name, { signal, onProgress });
}
