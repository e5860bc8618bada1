import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { JanusError, quote } from "../../errors.js";
import { httpSource } from "../../weights/http-source.js";
import { givenSource, lent } from "../given-source.js";
import type { ModelInput, ModelSource } from "../host.js";
import { directorySource } from "./directory.js";

/** `owner/name`, with a revision: what a model hub calls a checkpoint. */
const HUB_ID = /^[\w-][\w.-]*\/[\w.-]+(@[\w./-]+)?$/;
const HTTP = /^https?:\/\//i;

/**
 * The storage that `--model` names: an existing path wins, then a URL, then a hub id; what begins with `/` or `.` is never a hub id.
 * Files and a WeightSource of the caller's own are used as they are.
 *
 * @throws JanusError E_IO of origin "model"; E_USAGE for what is no model; E_UNSUPPORTED for what is not read yet.
 */
export async function openModelSource(model: ModelInput, signal?: AbortSignal): Promise<ModelSource> {
  signal?.throwIfAborted();
  if (model instanceof URL && model.protocol === "file:") return openPath(fileURLToPath(model));
  if (model instanceof URL) return openUrl(model);
  return typeof model === "string" ? openPath(model) : givenSource(model);
}

async function openPath(model: string): Promise<ModelSource> {
  const url = HTTP.test(model);
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
  if (url) return openUrl(model);
  if (HUB_ID.test(model)) return openHubId(name);
  throw new JanusError("E_IO", `opening ${name}: no such directory; name a checkpoint directory`, { origin: "model" });
}

/** A base URL. Nothing of it is told before it is one: it may hold a password or a signature. */
function openUrl(base: string | URL): ModelSource {
  return lent(httpSource(base));
}

async function openHubId(name: string): Promise<ModelSource> {
  throw new JanusError(
    "E_UNSUPPORTED",
    `opening ${name}: no such directory, and hub ids are not read yet; download the checkpoint and name its directory`,
  );
}
