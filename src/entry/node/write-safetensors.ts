import type { Tensor } from "../../tensor.js";
import { encodeTensors } from "../../weights/encode-tensors.js";
import type { OutputOptions } from "./output.js";

export interface SafetensorsOptions extends Omit<OutputOptions, "expectedBytes"> {
  /** The `__metadata__` of the file: text by text. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * Writes tensors to a safetensors file, complete or not at all.
 *
 * @example await writeSafetensors("out.safetensors", { inputs_embeds: out.inputsEmbeds, attention_mask: out.attentionMask });
 * @returns the number of bytes written.
 * @throws JanusError E_USAGE when the file exists and `force` is not given; E_IO; E_SHAPE when the data of a tensor does not fill its
 * dims; the signal's reason.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  options: SafetensorsOptions = {},
): Promise<number> {
  const { metadata, ...output } = options;
  const { bytes, chunks } = encodeTensors(Object.entries(tensors), metadata);
  // When it is called: most processes that load a model write nothing.
  const { writeAtomically } = await import("./output.js");
  return writeAtomically(path, chunks, { ...output, expectedBytes: bytes });
}
