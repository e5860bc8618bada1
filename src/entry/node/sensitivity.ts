import type { RgbImage } from "../../image/pixels.js";
import { takeEngineFlags } from "../engine-flags.js";
import type { Host, ImageInput, ModelInput } from "../host.js";
import { type OpenModel, openModel } from "../load.js";
import { startPictureWorker } from "../picture-worker.js";
import { measureSensitivity, type Sensitivity, type SensitivityOptions } from "../sensitivity.js";
import { nodeHost } from "./host.js";

/**
 * What 8 bits cost a checkpoint on the given pictures, end to end, by block and by linear. Takes the engine's flags that gain, for the whole process: a full-size
 * model runs 122 times.
 */
export async function sensitivityOf(
  model: ModelInput,
  images: readonly ImageInput[],
  options: Omit<SensitivityOptions, "threads"> & { readonly threads?: number | undefined },
): Promise<Sensitivity> {
  const { signal, onRun } = options;
  const host = nodeHost();
  const threads = options.threads ?? host.availableThreads();
  const source = await host.openModel(model, signal);
  try {
    const opened = await openModel(source, signal);
    const squares = await squaresOf(host, opened, images, signal);
    await takeEngineFlags(host, "auto", threads);
    return await measureSensitivity(host, opened, squares, { threads, signal, ...(onRun && { onRun }) });
  } finally {
    await source.close();
    await host.dispose();
  }
}

async function squaresOf(
  host: Host,
  { config }: OpenModel,
  images: readonly ImageInput[],
  signal: AbortSignal | undefined,
): Promise<RgbImage[]> {
  const worker = await startPictureWorker(host, config);
  try {
    const squares: RgbImage[] = [];
    for (const [index, image] of images.entries())
      squares.push(await worker.square(await host.decode(image, index, signal), signal));
    return squares;
  } finally {
    await worker.dispose();
  }
}
