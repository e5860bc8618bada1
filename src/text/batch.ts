import { JanusError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import type { SpecialTokens } from "./tokenizer.js";

/** A tokenized prompt, its placeholders not yet expanded, and how many images were given for them. */
export interface TokenRow {
  readonly ids: readonly number[];
  readonly images: number;
}

export interface BatchOptions {
  /** P: embeddings of one image. */
  readonly tokensPerImage: number;
  /** `max_position_embeddings`: the longest sequence the language model takes. */
  readonly maxPositions: number;
}

/** What `VLChatProcessor.batchify` makes, pixels aside: B rows of T positions, N images a row at most (N is at least 1), P tokens each. */
export interface TokenBatch {
  /** [B, T], padded on the left. */
  readonly inputIds: Tensor<"int64">;
  /** [B, T], 0 on the padding. */
  readonly attentionMask: Tensor<"int64">;
  /** [B, T], 1 where an image embedding goes. */
  readonly imagesSeqMask: Tensor<"bool">;
  /** [B, N, P], 1 on the embeddings of images that are there. */
  readonly imagesEmbMask: Tensor<"bool">;
}

type ImageTokens = Pick<SpecialTokens, "placeholder" | "boi" | "eoi">;

/** Every placeholder as begin of image, P placeholders, end of image: `VLChatProcessor.add_image_token`. */
export function expand(ids: readonly number[], special: ImageTokens, tokensPerImage: number): number[] {
  const expanded: number[] = [];
  for (const id of ids) {
    if (id !== special.placeholder) {
      expanded.push(id);
      continue;
    }
    expanded.push(special.boi);
    for (let i = 0; i < tokensPerImage; i++) expanded.push(id);
    expanded.push(special.eoi);
  }
  return expanded;
}

/**
 * Rows as one left-padded batch; no rows are a batch of none. Counts and lengths are checked before anything is expanded.
 *
 * Upstream lets a row have other counts of placeholders and images, dropping or repeating images; here that is an error. So is the
 * placeholder's text typed by a user without an image for it.
 *
 * @throws JanusError E_PROMPT naming the row and both figures; E_OOM when the batch does not fit.
 */
export function batchify(rows: readonly TokenRow[], special: SpecialTokens, options: BatchOptions): TokenBatch {
  const { tokensPerImage } = options;
  let T = 0;
  let N = 1;
  rows.forEach((row, b) => {
    T = Math.max(T, checkedLength(row, b, special, options));
    N = Math.max(N, row.images);
  });
  const B = rows.length;
  const batch = allocate(B, T, N, tokensPerImage, BigInt(special.pad));
  rows.forEach((row, b) => {
    const ids = expand(row.ids, special, tokensPerImage);
    let at = (b + 1) * T - ids.length;
    for (const id of ids) {
      batch.inputIds.data[at] = BigInt(id);
      batch.attentionMask.data[at] = 1n;
      if (id === special.placeholder) batch.imagesSeqMask.data[at] = 1;
      at++;
    }
    const first = b * N * tokensPerImage;
    batch.imagesEmbMask.data.fill(1, first, first + row.images * tokensPerImage);
  });
  return batch;
}

function checkedLength(row: TokenRow, b: number, special: SpecialTokens, options: BatchOptions): number {
  const { ids, images } = row;
  const { tokensPerImage, maxPositions } = options;
  const placeholders = ids.reduce((count, id) => (id === special.placeholder ? count + 1 : count), 0);
  if (placeholders !== images) {
    throw new JanusError(
      "E_PROMPT",
      `row ${b}: ${plural(placeholders, "placeholder")} but ${plural(images, "image")}; give one image per ${special.imageTag}, which counts wherever it stands in the text`,
    );
  }
  const length = ids.length + images * (tokensPerImage + 1);
  if (length > maxPositions) {
    throw new JanusError(
      "E_PROMPT",
      `row ${b}: ${plural(length, "position")}, of which ${images * (tokensPerImage + 2)} for ${plural(images, "image")}, but the model takes at most ${maxPositions}; shorten the prompt or give fewer images`,
    );
  }
  return length;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function allocate(B: number, T: number, N: number, P: number, pad: bigint): TokenBatch {
  try {
    return {
      inputIds: { type: "int64", dims: [B, T], data: new BigInt64Array(B * T).fill(pad) },
      attentionMask: { type: "int64", dims: [B, T], data: new BigInt64Array(B * T) },
      imagesSeqMask: { type: "bool", dims: [B, T], data: new Uint8Array(B * T) },
      imagesEmbMask: { type: "bool", dims: [B, N, P], data: new Uint8Array(B * N * P) },
    };
  } catch (cause) {
    throw new JanusError(
      "E_OOM",
      `a batch of ${B} rows of ${T} positions needs ${B * T * 17 + B * N * P} bytes for ids and masks; give fewer requests at once`,
      { cause },
    );
  }
}
