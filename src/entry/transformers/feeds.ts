import { JanusError } from "../../errors.js";
import type { Tensor, TensorType } from "../../tensor.js";
import type { ModelInputs } from "../janus.js";

/** What is read of an input: onnxruntime's tensors, transformers.js' and our own all have it. */
export interface FeedTensor {
  readonly type: string;
  readonly dims: readonly number[];
  /** Throws where the data is not in main memory. */
  readonly data: unknown;
}

/** Inputs of the session by the names of the ONNX export. */
export const INPUT_NAMES = ["input_ids", "pixel_values", "images_seq_mask", "images_emb_mask"] as const;

export type Feeds = Readonly<Record<(typeof INPUT_NAMES)[number], FeedTensor>>;

/** The feeds as the reference's function takes them: views, whose types and shapes are checked by what reads them. E_SHAPE when one is missing. */
export function readFeeds(feeds: Feeds): ModelInputs {
  return {
    inputIds: read<"int64">(feeds, "input_ids"),
    pixelValues: read<"float32">(feeds, "pixel_values"),
    imagesSeqMask: read<"bool">(feeds, "images_seq_mask"),
    imagesEmbMask: read<"bool">(feeds, "images_emb_mask"),
  };
}

function read<T extends TensorType>(feeds: Feeds, name: keyof Feeds): Tensor<T> {
  const feed = feeds?.[name];
  if (typeof feed !== "object" || feed === null || !Array.isArray(feed.dims)) {
    throw new JanusError(
      "E_SHAPE",
      `prepare_inputs_embeds: expected the inputs ${INPUT_NAMES.join(", ")}, got no tensor ${name}; the processor makes all four`,
      { origin: "input" },
    );
  }
  try {
    return { type: feed.type as T, dims: [...feed.dims], data: feed.data as Tensor<T>["data"] };
  } catch (cause) {
    throw new JanusError(
      "E_SHAPE",
      `prepare_inputs_embeds: expected ${name} in main memory, got a tensor that lies elsewhere or was disposed; give it on the CPU`,
      { cause, origin: "input" },
    );
  }
}
