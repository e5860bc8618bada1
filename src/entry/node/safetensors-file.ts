import { basename, dirname } from "node:path";
import { JanusError } from "../../errors.js";
import type { Tensor } from "../../tensor.js";
import { readTensor } from "../../weights/read-tensor.js";
import { parseSafetensors, type SafetensorsEntry, type SafetensorsHeader } from "../../weights/safetensors.js";
import { directorySource } from "./directory.js";

/** A safetensors file that a user names as an input, open for reading by pieces. */
export interface SafetensorsFile {
  readonly path: string;
  readonly header: SafetensorsHeader;
  /** `length` bytes of a tensor from its byte `offset`. */
  read(entry: SafetensorsEntry, offset: number, length: number): Promise<Uint8Array>;
  /** A whole tensor, bf16 and f16 widened. */
  tensor(entry: SafetensorsEntry): Promise<Tensor>;
}

/**
 * Runs `work` with one file, its header read, and closes it.
 *
 * @throws JanusError E_IO of origin "input" when the file is absent or unreadable; E_FORMAT; the signal's reason; whatever `work` throws.
 */
export async function withSafetensors<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (file: SafetensorsFile) => Promise<T>,
): Promise<T> {
  const source = directorySource(dirname(path));
  const name = basename(path);
  try {
    return await work({
      path,
      header: await asInput(parseSafetensors(source, name, signal)),
      read: (entry, offset, length) => asInput(source.read(name, entry.begin + offset, length, signal)),
      tensor: (entry) => asInput(readTensor(source, name, entry, signal)),
    });
  } finally {
    await source.close();
  }
}

/** A source speaks of model files; this one is the user's own input, which has another exit status. */
async function asInput<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof JanusError) || error.code !== "E_IO") throw error;
    throw new JanusError("E_IO", error.message, { cause: error, origin: "input" });
  }
}
