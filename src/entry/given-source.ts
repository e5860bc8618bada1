import { JanusError } from "../errors.js";
import { type Blobs, blobSource } from "../weights/blob-source.js";
import { bytesSource, type FileBytes } from "../weights/bytes-source.js";
import { isBytes, kindOf } from "../weights/files-source.js";
import type { WeightSource } from "../weights/source.js";
import type { ModelSource } from "./host.js";

/**
 * Storage that the caller hands over: a WeightSource, which stays theirs to close, or files by path.
 *
 * @throws JanusError E_USAGE for anything else.
 */
export function givenSource(model: unknown): ModelSource {
  const source = isSource(model) ? model : heldFiles(model);
  if (!source)
    throw new JanusError(
      "E_USAGE",
      `opening a model: expected a directory, a URL, a hub id, files by path or a WeightSource, got ${isBytes(model) || model instanceof Blob ? "one file without its path" : kindOf(model)}`,
      { origin: "usage" },
    );
  return lent(source);
}

/** A source as one that is closed by doing nothing. */
export function lent(source: WeightSource): ModelSource {
  const { readInto } = source;
  return {
    label: source.label,
    size: (path, signal) => source.size(path, signal),
    read: (path, offset, length, signal) => source.read(path, offset, length, signal),
    ...(readInto && { readInto: readInto.bind(source) }),
    close: async () => {},
  };
}

function isSource(model: unknown): model is WeightSource {
  const source = model as Partial<WeightSource> | null | undefined;
  return typeof source?.size === "function" && typeof source.read === "function";
}

/** What kind of files it is, the first one tells; undefined when that is none. */
function heldFiles(model: unknown): WeightSource | undefined {
  if (typeof model !== "object" || model === null || isBytes(model) || model instanceof Blob) return undefined;
  const list = Symbol.iterator in model && !(model instanceof Map);
  const [first] = model instanceof Map || list ? (model as Iterable<unknown>) : Object.entries(model);
  const file = list ? first : (first as readonly unknown[] | undefined)?.[1];
  if (file instanceof Blob) return blobSource(model as Blobs);
  return !list && isBytes(file) ? bytesSource(model as FileBytes) : undefined;
}
