import type { LocatedFile } from "./checkpoint.js";
import { checkedElements, dtypeBytes } from "./dtype.js";
import type { WeightSource } from "./source.js";
import { parseTorch, torchView } from "./torch.js";

/** What a file of torch.save holds, as a weight file of a checkpoint. Throws as `parseTorch`. */
export async function locateTorch(source: WeightSource, path: string, signal?: AbortSignal): Promise<LocatedFile> {
  const tensors = await parseTorch(source, path, signal);
  const located = [...tensors.values()].map((tensor) => {
    const { name, dtype, shape } = tensor;
    const bytes = (checkedElements(shape) ?? Number.NaN) * dtypeBytes(dtype);
    return { name, dtype, shape, bytes, view: torchView(source, path, tensor) };
  });
  return { path, metadata: new Map(), tensors: located };
}
