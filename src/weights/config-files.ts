import { JanusError, quote } from "../errors.js";
import { recognise } from "./signature.js";
import { sizeIfAny, type WeightSource } from "./source.js";

/** The three configuration files, as bytes; the last two may be absent. */
export interface ConfigBytes {
  readonly config: Uint8Array;
  readonly preprocessor: Uint8Array | undefined;
  readonly processor: Uint8Array | undefined;
}

/** Janus' own files are 2 KB. */
export const MAX_CONFIG_BYTES = 4 * 2 ** 20;

/** In the order of `ConfigBytes`. */
export const CONFIG_FILES: readonly string[] = ["config.json", "preprocessor_config.json", "processor_config.json"];

/** Reads the configuration files of a checkpoint. Throws E_CONFIG when config.json is absent, or a file is not what its name says. */
export async function readConfigFiles(source: WeightSource, signal?: AbortSignal): Promise<ConfigBytes> {
  const [config, preprocessor, processor] = await Promise.all(
    CONFIG_FILES.map((path, at) => readJsonFile(source, path, MAX_CONFIG_BYTES, signal, at === 0)),
  );
  if (config === undefined)
    throw refusal(
      "config.json",
      `expected it in ${quote(source.label)}, found none; is this the directory of a checkpoint?`,
    );
  return { config, preprocessor, processor };
}

/** The bytes of one JSON file, undefined when there is none; where it is `needed`, a page in its place is an error. Throws E_CONFIG beyond `limit` bytes, or when it is of another kind. */
export async function readJsonFile(
  source: WeightSource,
  path: string,
  limit: number,
  signal?: AbortSignal,
  needed = false,
): Promise<Uint8Array | undefined> {
  const size = await (needed ? source.size(path, signal) : sizeIfAny(source, path, signal));
  if (size === undefined) return undefined;
  if (size > limit) throw refusal(path, `expected at most ${limit} bytes, found ${size}`);
  const bytes = await source.read(path, 0, size, signal);
  const known = recognise(bytes, "json");
  if (known !== undefined) throw refusal(path, `expected JSON, found ${known}`);
  return bytes;
}

function refusal(path: string, reason: string): JanusError {
  return new JanusError("E_CONFIG", `reading ${path}: ${reason}`, { origin: "model" });
}
