import { stat } from "node:fs/promises";
import { JanusError, quote } from "../../errors.js";
import type { WeightSource } from "../../weights/source.js";
import type { ModelSource } from "../host.js";
import { directorySource } from "./directory.js";

/** `owner/name`, with a revision: what a model hub calls a checkpoint. */
const HUB_ID = /^[\w-][\w.-]*\/[\w.-]+(@[\w./-]+)?$/;

/**
 * The storage that `--model` names: an existing path wins, then a URL, then a hub id; what begins with `/` or `.` is never a hub id.
 * A WeightSource of the caller's own is used as it is, and stays the caller's to close.
 *
 * @throws JanusError E_IO of origin "model"; E_UNSUPPORTED for what is not read yet.
 */
export async function openModelSource(model: string | WeightSource, signal?: AbortSignal): Promise<ModelSource> {
  signal?.throwIfAborted();
  if (typeof model !== "string") return borrowed(model);
  const name = quote(model, 200);
  const found = await stat(model).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
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
  if (/^https?:\/\//i.test(model)) {
    throw new JanusError(
      "E_UNSUPPORTED",
      `opening ${name}: URLs are not read yet; download the checkpoint and name its directory`,
    );
  }
  if (HUB_ID.test(model)) {
    throw new JanusError(
      "E_UNSUPPORTED",
      `opening ${name}: no such directory, and hub ids are not read yet; download the checkpoint and name its directory`,
    );
  }
  throw new JanusError("E_IO", `opening ${name}: no such directory; name a checkpoint directory`, { origin: "model" });
}

function borrowed(source: WeightSource): ModelSource {
  if (typeof source?.size !== "function" || typeof source.read !== "function") {
    throw new JanusError("E_USAGE", `opening a model: expected a directory or a WeightSource, got ${quote(source)}`, {
      origin: "usage",
    });
  }
  const { readInto } = source;
  return {
    label: source.label,
    size: (path, signal) => source.size(path, signal),
    read: (path, offset, length, signal) => source.read(path, offset, length, signal),
    ...(readInto && { readInto: readInto.bind(source) }),
    close: async () => {},
  };
}
