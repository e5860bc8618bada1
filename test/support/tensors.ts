import { basename, dirname } from "node:path";
import { directorySource } from "#dist/entry/node/directory.js";
import type { Tensor } from "#dist/tensor.js";
import { readTensor } from "#dist/weights/read-tensor.js";
import { parseSafetensors } from "#dist/weights/safetensors.js";

/** Every tensor of a safetensors file, bf16 and f16 widened. */
export async function readTensors(path: string): Promise<Record<string, Tensor>> {
  const source = directorySource(dirname(path));
  try {
    const { tensors } = await parseSafetensors(source, basename(path));
    const read: Record<string, Tensor> = {};
    for (const [name, entry] of tensors) read[name] = await readTensor(source, basename(path), entry);
    return read;
  } finally {
    await source.close();
  }
}

/** The bytes of a tensor's data: what "identical" is judged by. */
export function bytesOf(tensor: Tensor | undefined): Buffer {
  if (!tensor) throw new Error("the tensor is missing");
  return Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}
