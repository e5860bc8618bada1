import { JanusError, quote } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { checkedElements, dtypeBytes } from "./dtype.js";
import type { SafetensorsEntry } from "./safetensors.js";
import type { WeightSource } from "./source.js";
import { type TorchEntry, torchView } from "./torch.js";
import { allocate, readViewRows } from "./view.js";
import { widenBF16, widenF16 } from "./widen.js";

/**
 * Reads one tensor of an ordinary safetensors file into memory: F32, I64, BOOL and U8 as they are, F16 and BF16 widened to float32,
 * I32 to int64 (all exact).
 *
 * Throws E_UNSUPPORTED for another dtype, E_FORMAT for a BOOL that is neither 0 nor 1; both with origin "input".
 */
export function readTensor(
  source: WeightSource,
  path: string,
  entry: SafetensorsEntry,
  signal?: AbortSignal,
): Promise<Tensor> {
  return decode(path, entry, async () => {
    // A copy: what a source returns may begin at an odd address of a larger buffer.
    return new Uint8Array(await source.read(path, entry.begin, entry.end - entry.begin, signal)).buffer;
  });
}

/** The same of a file of torch.save, whatever its strides. Throws E_OOM, too: a small storage may be seen as a large tensor. */
export function readTorchTensor(
  source: WeightSource,
  path: string,
  entry: TorchEntry,
  signal?: AbortSignal,
): Promise<Tensor> {
  return decode(path, entry, async () => {
    const target = allocate((checkedElements(entry.shape) ?? Number.NaN) * dtypeBytes(entry.dtype), quote(entry.name));
    await readViewRows(source, torchView(source, path, entry), 0, entry.shape[0] ?? 1, target, signal);
    return target.buffer;
  });
}

/** `read` gives the elements dense and row-major, at the beginning of a buffer of their own. */
async function decode(
  path: string,
  { name, dtype, shape }: { readonly name: string; readonly dtype: string; readonly shape: readonly number[] },
  read: () => Promise<ArrayBuffer>,
): Promise<Tensor> {
  const dims = [...shape];
  switch (dtype) {
    case "F32":
      return { type: "float32", dims, data: new Float32Array(await read()) };
    case "F16":
      return { type: "float32", dims, data: widenF16(new Uint16Array(await read())) };
    case "BF16":
      return { type: "float32", dims, data: widenBF16(new Uint16Array(await read())) };
    case "I64":
      return { type: "int64", dims, data: new BigInt64Array(await read()) };
    case "I32":
      return { type: "int64", dims, data: BigInt64Array.from(new Int32Array(await read()), BigInt) };
    case "U8":
      return { type: "uint8", dims, data: new Uint8Array(await read()) };
    case "BOOL":
      return { type: "bool", dims, data: bools(new Uint8Array(await read()), path, name) };
    default:
      throw new JanusError(
        "E_UNSUPPORTED",
        `reading ${path}: expected tensor ${quote(name)} as F32, F16, BF16, I64, I32, U8 or BOOL, found ${dtype}; convert it`,
        { origin: "input" },
      );
  }
}

function bools(data: Uint8Array<ArrayBuffer>, path: string, name: string): Uint8Array<ArrayBuffer> {
  const wrong = data.findIndex((value) => value > 1);
  if (wrong >= 0)
    throw new JanusError(
      "E_FORMAT",
      `reading ${path}: expected 0 or 1 in tensor ${quote(name)}, found ${data[wrong]} at element ${wrong}`,
      { origin: "input" },
    );
  return data;
}
