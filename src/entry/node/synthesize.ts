/**
 * Writes the deterministic full-size checkpoint as a complete directory, as a hub would serve it: the weights of `weights/synthetic`,
 * the configuration of Janus-Pro-1B, and the demo model's tokenizer, whose few ids fit in the full vocabulary.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { JanusError } from "../../errors.js";
import { elements } from "../../tensor.js";
import { encodeSafetensorsHeader } from "../../weights/safetensors.js";
import { JANUS_PRO_1B, syntheticTensor, syntheticTensors } from "../../weights/synthetic.js";
import { widenBF16 } from "../../weights/widen.js";
import { TOKENIZER_FILES } from "../prepare.js";
import { type OutputFile, writeDirectoryAtomically } from "./output-directory.js";
import { quotePath } from "./output-error.js";

export interface SynthesizeOptions {
  /** `bf16` as the formula gives it, or the same values widened. */
  readonly dtype: "bf16" | "fp32";
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the weights written so far, and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const DEMO = new URL("../../../models/demo/", import.meta.url);
/** Elements made and written at a time: 8 MB of bf16, 16 MB of fp32. */
const PIECE = 2 ** 22;

/**
 * @throws JanusError E_USAGE, E_IO of origin "output" (as `writeDirectoryAtomically`); E_IO of origin "model" when the package lacks
 * its demo model; the signal's reason. The directory is complete or as it was.
 */
export async function synthesize(output: string, options: SynthesizeOptions): Promise<void> {
  const { dtype, force, signal, onProgress } = options;
  const { files, bytes } = await syntheticCheckpoint(dtype, onProgress);
  await writeDirectoryAtomically(output, files, { force, signal, expectedBytes: bytes });
}

/** The files of the directory, the weights made as they are read; `bytes` is the size of the weights' file. */
export async function syntheticCheckpoint(
  dtype: SynthesizeOptions["dtype"],
  onProgress?: SynthesizeOptions["onProgress"],
): Promise<{ files: OutputFile[]; bytes: number }> {
  const tensors = syntheticTensors();
  const header = encodeSafetensorsHeader(
    tensors.map(({ name, dims }) => ({ name, dtype: dtype === "bf16" ? "BF16" : "F32", shape: dims })),
    { format: "pt" },
  );
  const width = dtype === "bf16" ? 2 : 4;
  const bytes = header.byteLength + tensors.reduce((sum, { dims }) => sum + width * elements(dims), 0);
  const files = [
    json("config.json", config(dtype)),
    json("preprocessor_config.json", PREPROCESSOR),
    json("processor_config.json", PROCESSOR),
    ...(await Promise.all(TOKENIZER_FILES.map(demoFile))),
    { name: "model.safetensors", chunks: weightChunks(header, tensors, dtype, bytes, onProgress) },
  ];
  return { files, bytes };
}

/** Every chunk is written before the next is asked for, so one buffer serves them all. */
function* weightChunks(
  header: Uint8Array,
  tensors: ReturnType<typeof syntheticTensors>,
  dtype: "bf16" | "fp32",
  total: number,
  onProgress: SynthesizeOptions["onProgress"],
): Generator<Uint8Array> {
  const bits = new Uint16Array(PIECE);
  let done = header.byteLength;
  yield header;
  for (const { name, dims } of tensors) {
    const count = elements(dims);
    for (let start = 0; start < count; start += PIECE) {
      const piece = bits.subarray(0, Math.min(PIECE, count - start));
      syntheticTensor(name, start, piece.length, piece);
      const chunk = dtype === "bf16" ? piece : widenBF16(piece);
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      done += chunk.byteLength;
      onProgress?.(done, total);
    }
  }
}

function config(dtype: "bf16" | "fp32"): object {
  const { imageSize, width, dim, vocabulary } = JANUS_PRO_1B;
  const torchDtype = dtype === "bf16" ? "bfloat16" : "float32";
  return {
    model_type: "multi_modality",
    architectures: ["MultiModalityCausalLM"],
    torch_dtype: torchDtype,
    vision_config: {
      cls: "CLIPVisionTower",
      model_type: "vision",
      params: {
        image_size: imageSize,
        model_name: "siglip_large_patch16_384",
        select_feature: "same",
        select_layer: -1,
      },
    },
    aligner_config: {
      cls: "MlpProjector",
      model_type: "aligner",
      params: { depth: 2, input_dim: width, n_embed: dim, projector_type: "mlp_gelu" },
    },
    language_config: {
      model_type: "llama",
      hidden_size: dim,
      intermediate_size: 5632,
      num_hidden_layers: 24,
      num_attention_heads: 16,
      num_key_value_heads: 16,
      max_position_embeddings: 16384,
      vocab_size: vocabulary,
      torch_dtype: torchDtype,
    },
  };
}

const PREPROCESSOR = {
  image_processor_type: "VLMImageProcessor",
  processor_class: "VLChatProcessor",
  image_size: JANUS_PRO_1B.imageSize,
  min_size: 14,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  rescale_factor: 1 / 255,
  background_color: [127, 127, 127],
};

const PROCESSOR = {
  processor_class: "VLChatProcessor",
  image_tag: "<image_placeholder>",
  num_image_tokens: JANUS_PRO_1B.tokens,
  add_special_token: false,
  sft_format: "deepseek",
  mask_prompt: true,
  ignore_id: -100,
};

function json(name: string, value: object): OutputFile {
  return { name, chunks: [new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)] };
}

async function demoFile(name: string): Promise<OutputFile> {
  const path = fileURLToPath(new URL(name, DEMO));
  try {
    return { name, chunks: [await readFile(path)] };
  } catch (cause) {
    throw new JanusError("E_IO", `synthesize: cannot read ${quotePath(path)} of this package; install it again`, {
      cause,
      origin: "model",
    });
  }
}
