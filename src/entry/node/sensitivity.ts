import type { WeightSource } from "../../weights/source.js";
import { takeEngineFlags } from "../engine-flags.js";
import type { ImageInput } from "../host.js";
import { openModel } from "../load.js";
import { measureSensitivity, type Sensitivity, type SensitivityOptions } from "../sensitivity.js";
import { nodeHost } from "./host.js";
import { Janus } from "./index.js";

/**
 * What 8 bits cost a checkpoint on the given pictures, end to end, by block and by linear. Takes the engine's flags that gain, for the whole process: a full-size
 * model runs 122 times.
 */
export async function sensitivityOf(
  model: string | WeightSource,
  images: readonly ImageInput[],
  options: Omit<SensitivityOptions, "threads"> & { readonly threads?: number | undefined },
): Promise<Sensitivity> {
  const { signal, onRun } = options;
  const host = nodeHost();
  const threads = options.threads ?? host.availableThreads();
  const janus = await Janus.load(model, { threads, ...(signal && { signal }) });
  const pixels = await janus.preprocess(images, signal && { signal }).finally(() => janus.dispose());
  const size = pixels.data.length / images.length;
  const pictures = images.map((_, n) => pixels.data.slice(n * size, (n + 1) * size));
  const source = await host.openModel(model, signal);
  try {
    await takeEngineFlags(host, "auto", threads);
    const opened = await openModel(source, signal);
    return await measureSensitivity(host, opened, pictures, { threads, signal, ...(onRun && { onRun }) });
  } finally {
    await source.close();
    await host.dispose();
  }
}
