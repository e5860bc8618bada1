/** Results as files for whoever computes on: safetensors with everything, `.npy` and `.pt` with the embeddings of one row each. */
import { JanusError, quote } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { encodeNpy } from "../weights/encode-npy.js";
import { type EncodeTensorsOptions, encodeTensors } from "../weights/encode-tensors.js";
import { encodeTorch } from "../weights/encode-torch.js";
import type { EncodedFile } from "../weights/encoded-file.js";
import type { FloatDtype, FloatMatrix } from "../weights/float-chunks.js";
import type { Stages } from "./stages.js";
import { type Sequences, unpadded } from "./unpadded.js";

/** Members of results and their names in a file, which are the reference's. */
const NAMES = {
  inputsEmbeds: "inputs_embeds",
  attentionMask: "attention_mask",
  inputIds: "input_ids",
  imagesSeqMask: "images_seq_mask",
  imagesEmbMask: "images_emb_mask",
  pixelValues: "pixel_values",
  imageFeatures: "image_features",
  imageEmbeds: "image_embeds",
} as const;

/** What `embed`, `prepareInputsEmbeds`, `prepare` and the streams return, or several of them spread into one object. */
export type ModelResult = { readonly [member in keyof typeof NAMES]?: Tensor } & { readonly stages?: Stages };

/** The files of rows alone. */
export type RowFormat = "npy" | "pt";

/** The tensors of a result by the reference's names, its stages by theirs. */
export function namedTensors(result: ModelResult): Record<string, Tensor> {
  const named: Record<string, Tensor> = {};
  for (const [member, name] of Object.entries(NAMES)) {
    const tensor = result[member as keyof typeof NAMES];
    if (tensor !== undefined) named[name] = tensor;
  }
  return { ...named, ...result.stages };
}

/**
 * A safetensors file of a result, or of tensors by name. `dtype: "bf16"` stores every float32 tensor in it as BF16, rounded to nearest even.
 *
 * @example await writeFile("out.safetensors", toSafetensors(out));
 * @throws JanusError E_SHAPE when the data of a tensor does not fill its dims; E_USAGE for another dtype.
 */
export function toSafetensors(
  tensors: Readonly<Record<string, Tensor>> | ModelResult,
  options: EncodeTensorsOptions = {},
): EncodedFile {
  checkFloatDtype("toSafetensors", options.dtype);
  if (typeof tensors !== "object" || tensors === null)
    throw new JanusError("E_SHAPE", `toSafetensors: expected a result, or tensors by name, got ${quote(tensors)}`, {
      origin: "input",
    });
  const named: Readonly<Record<string, Tensor>> = isResult(tensors) ? namedTensors(tensors) : tensors;
  return encodeTensors(Object.entries(named), options);
}

/**
 * A .npy file ('<f4' [T,D]) for every row of a batch, without its padding; a tensor [B,T,D] or [T,D] has none.
 *
 * @example const [file] = toNpy(await janus.embed(request));
 * @throws JanusError E_SHAPE; E_UNSUPPORTED for `dtype: "bf16"`, which the format does not have.
 */
export function toNpy(
  embeds: Sequences | Tensor<"float32">,
  options: { readonly dtype?: FloatDtype | undefined } = {},
): EncodedFile[] {
  checkFloatDtype("toNpy", options.dtype);
  return encodeRows(unpadded("toNpy", asSequences(embeds)), "npy", options.dtype);
}

/**
 * A file of `torch.save(tensor)` ([T,D]) for every row of a batch, without its padding: what `torch.load(weights_only=True)` reads, and
 * vLLM takes as prompt_embeds. `dtype: "bf16"` rounds to nearest even, as `.bfloat16()`.
 *
 * @example const [file] = toTorch(await janus.embed(request), { dtype: "bf16" });
 * @throws JanusError E_SHAPE; E_UNSUPPORTED for a file of 4 GB and more.
 */
export function toTorch(
  embeds: Sequences | Tensor<"float32">,
  options: { readonly dtype?: FloatDtype | undefined } = {},
): EncodedFile[] {
  checkFloatDtype("toTorch", options.dtype);
  return encodeRows(unpadded("toTorch", asSequences(embeds)), "pt", options.dtype);
}

/** A file of each row. */
export function encodeRows(rows: readonly FloatMatrix[], format: RowFormat, dtype: FloatDtype = "fp32"): EncodedFile[] {
  refuseNarrowNpy(format, dtype);
  return rows.map((row) => (format === "npy" ? encodeNpy(row) : encodeTorch(row, dtype)));
}

/** @throws JanusError E_UNSUPPORTED of origin "output" for bf16 in a .npy file. */
export function refuseNarrowNpy(format: string, dtype: FloatDtype): void {
  if (format !== "npy" || dtype === "fp32") return;
  throw new JanusError(
    "E_UNSUPPORTED",
    `write npy: expected fp32, got ${dtype}, which the format does not have; write .pt or .safetensors, or fp32`,
    { origin: "output" },
  );
}

function isResult(tensors: object): tensors is ModelResult {
  return Object.keys(NAMES).some((member) => member in tensors);
}

function asSequences(embeds: Sequences | Tensor<"float32">): Sequences {
  return embeds && "inputsEmbeds" in embeds ? embeds : { inputsEmbeds: embeds };
}

function checkFloatDtype(operation: string, dtype: unknown): void {
  if (dtype === undefined || dtype === "fp32" || dtype === "bf16") return;
  const message = `${operation}: dtype must be fp32 or bf16, got ${quote(dtype)}`;
  throw new JanusError("E_USAGE", message, { origin: "usage" });
}
