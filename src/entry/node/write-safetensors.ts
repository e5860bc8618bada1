import type { Tensor } from "../../tensor.js";
import type { EncodeTensorsOptions } from "../../weights/encode-tensors.js";
import { type ModelResult, toSafetensors } from "../hand-over.js";
import type { OutputOptions } from "./output.js";

export type SafetensorsOptions = Omit<OutputOptions, "expectedBytes"> & EncodeTensorsOptions;

/**
 * Writes a result, or tensors by name, to a safetensors file, complete or not at all.
 *
 * @example await writeSafetensors("out.safetensors", await janus.embed(request));
 * @returns the number of bytes written.
 * @throws JanusError E_USAGE when the file exists and `force` is not given; E_IO; E_SHAPE when the data of a tensor does not fill its
 * dims; the signal's reason.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>> | ModelResult,
  options: SafetensorsOptions = {},
): Promise<number> {
  const { metadata, dtype, ...output } = options;
  const file = toSafetensors(tensors, { metadata, dtype });
  // When it is called: most processes that load a model write nothing.
  const { writeAtomically } = await import("./output.js");
  return writeAtomically(path, file, { ...output, expectedBytes: file.byteLength });
}
