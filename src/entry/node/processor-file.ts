import { basename, dirname } from "node:path";
import type { Tensor } from "../../tensor.js";
import { checkedElements, dtypeBytes } from "../../weights/dtype.js";
import { readTorchTensor } from "../../weights/read-tensor.js";
import type { WeightSource } from "../../weights/source.js";
import { parseTorchInputs } from "../../weights/torch.js";
import { directorySource } from "./directory.js";
import { asInput, withSafetensors } from "./safetensors-file.js";

/** A tensor of a file that a processor's output was saved in. */
export interface ProcessorTensor {
  readonly dtype: string;
  /** What it takes in memory as stored. */
  readonly bytes: number;
  /** All of it, F16 and BF16 widened. */
  read(): Promise<Tensor>;
}

/** What every zip archive with a file in it begins with. */
const ZIP = "PK\u0003\u0004";

/**
 * Runs `work` with the tensors of a file that Python saved, whatever its name: `safetensors.torch.save_file(inputs, path)`, or
 * `torch.save(dict(inputs), path)`.
 *
 * @throws JanusError E_IO of origin "input" when the file is absent or unreadable; E_FORMAT; the signal's reason; whatever `work` throws.
 */
export async function withProcessorTensors<T>(
  path: string,
  signal: AbortSignal,
  work: (tensors: ReadonlyMap<string, ProcessorTensor>) => Promise<T>,
): Promise<T> {
  const source = directorySource(dirname(path));
  const name = basename(path);
  try {
    if (await asInput(isZip(source, name, signal))) {
      const entries = await asInput(parseTorchInputs(source, name, signal));
      const tensors = [...entries].map(([key, entry]): [string, ProcessorTensor] => {
        const bytes = (checkedElements(entry.shape) ?? Number.NaN) * dtypeBytes(entry.dtype);
        const read = (): Promise<Tensor> => asInput(readTorchTensor(source, name, entry, signal));
        return [key, { dtype: entry.dtype, bytes, read }];
      });
      return await work(new Map(tensors));
    }
  } finally {
    await source.close();
  }
  return withSafetensors(path, signal, ({ tensors, readTensor }) => {
    const read = [...tensors.values()].map((entry): [string, ProcessorTensor] => {
      return [entry.name, { dtype: entry.dtype, bytes: entry.end - entry.begin, read: () => readTensor(entry) }];
    });
    return work(new Map(read));
  });
}

async function isZip(source: WeightSource, name: string, signal: AbortSignal): Promise<boolean> {
  const size = (await source.size(name, signal)) ?? 0;
  if (size < ZIP.length) return false;
  return String.fromCharCode(...(await source.read(name, 0, ZIP.length, signal))) === ZIP;
}
