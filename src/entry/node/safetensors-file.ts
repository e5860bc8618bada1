import { basename, dirname } from "node:path";
import { JanusError } from "../../errors.js";
import type { Tensor } from "../../tensor.js";
import { dtypeBytes } from "../../weights/dtype.js";
import { readTensor } from "../../weights/read-tensor.js";
import { parseSafetensors, type SafetensorsEntry } from "../../weights/safetensors.js";
import { widenBF16, widenF16 } from "../../weights/widen.js";
import { directorySource } from "./directory.js";

/** A safetensors file that a user names as an input, open for reading by pieces. */
export interface SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** `length` bytes of a tensor from its byte `offset`. */
  readBytes(entry: SafetensorsEntry, offset: number, length: number): Promise<Uint8Array>;
  /** A whole tensor, F16 and BF16 widened. */
  readTensor(entry: SafetensorsEntry): Promise<Tensor>;
  /** `count` elements of a tensor from element `start`; F16 and BF16 widened, which is exact. Only where `isFloat`. */
  readFloats(entry: SafetensorsEntry, start: number, count: number): Promise<Float32Array | Float64Array>;
}

export type { SafetensorsEntry };

type Decode = (buffer: ArrayBuffer) => Float32Array | Float64Array;

const FLOATS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["F64", (buffer) => new Float64Array(buffer)],
  ["F32", (buffer) => new Float32Array(buffer)],
  ["F16", (buffer) => widenF16(new Uint16Array(buffer))],
  ["BF16", (buffer) => widenBF16(new Uint16Array(buffer))],
]);

/** Whether `readFloats` reads a tensor of this dtype. */
export function isFloat({ dtype }: SafetensorsEntry): boolean {
  return FLOATS.has(dtype);
}

/** Bytes of an element; 1 for the dtypes that pack several into a byte. */
export function elementBytes({ dtype }: SafetensorsEntry): number {
  return Math.max(1, dtypeBytes(dtype));
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
  const readBytes = (entry: SafetensorsEntry, offset: number, length: number) =>
    asInput(source.read(name, entry.begin + offset, length, signal));
  try {
    const { tensors } = await asInput(parseSafetensors(source, name, signal));
    return await work({
      path,
      tensors,
      readBytes,
      readTensor: (entry) => asInput(readTensor(source, name, entry, signal)),
      async readFloats(entry, start, count) {
        const width = elementBytes(entry);
        const bytes = await readBytes(entry, start * width, count * width);
        // A copy: what is read may begin at an odd address of a larger buffer.
        return FLOATS.get(entry.dtype)!(new Uint8Array(bytes).buffer);
      },
    });
  } finally {
    await source.close();
  }
}

/** A source speaks of model files; this one is the user's own input, which has another exit status. */
export async function asInput<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof JanusError) || error.code !== "E_IO") throw error;
    throw new JanusError("E_IO", error.message, { cause: error, origin: "input" });
  }
}
