import { withSafetensors } from "#dist/entry/node/safetensors-file.js";
import type { Tensor } from "#dist/tensor.js";

/** Every tensor of a safetensors file, bf16 and f16 widened. */
export function readTensors(path: string): Promise<Record<string, Tensor>> {
  return withSafetensors(path, undefined, async ({ tensors, readTensor }) => {
    const read: Record<string, Tensor> = {};
    for (const [name, entry] of tensors) read[name] = await readTensor(entry);
    return read;
  });
}

/** The bytes of a tensor's data: what "identical" is judged by. */
export function bytesOf(tensor: Tensor | undefined): Buffer {
  if (!tensor) throw new Error("the tensor is missing");
  return Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}
