import { JanusError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { elements, shapeText } from "../tensor.js";

/** Which feature row goes to which slot: pair k is feature `features[k]` = (b*N+n)*P+p and position `slots[k]` = b*T+t, both ascending. */
export interface Pairing {
  readonly slots: Int32Array<ArrayBuffer>;
  readonly features: Int32Array<ArrayBuffer>;
  /** Images b*N+n that some row uses, ascending. */
  readonly images: readonly number[];
}

/**
 * Pairs image features with the slots of a batch: the k-th true slot of a row takes the k-th true feature of that row's images.
 *
 * modeling_vlm.py prepare_inputs_embeds assigns `inputs_embeds[images_seq_mask] = images_embeds[images_emb_mask]`, which pairs over the
 * whole batch; here counts must agree row by row (E_PROMPT with both), so that no feature slips into another row. Where neither mask
 * holds a true element their shapes do not matter.
 *
 * @param inputIds int64 [B,T]
 * @param seqMask bool [B,T]
 * @param embMask bool [B,N,P]
 */
export function pairSlots(
  inputIds: Tensor<"int64">,
  seqMask: Tensor<"bool">,
  embMask: Tensor<"bool">,
  tokens: number,
): Pairing {
  checkMask("images_seq_mask", seqMask);
  checkMask("images_emb_mask", embMask);
  const slotCount = countTrue(seqMask.data);
  const featureCount = countTrue(embMask.data);
  if (slotCount === 0 && featureCount === 0)
    return { slots: new Int32Array(0), features: new Int32Array(0), images: [] };

  const [batch = 0, length = 0] = inputIds.dims;
  if (seqMask.dims.length !== 2 || seqMask.dims[0] !== batch || seqMask.dims[1] !== length) {
    throw new JanusError(
      "E_PROMPT",
      `fuse: images_seq_mask must be ${shapeText(inputIds.dims)} like input_ids, got ${shapeText(seqMask.dims)}`,
    );
  }
  const [maskBatch, images = 0, maskTokens] = embMask.dims;
  if (embMask.dims.length !== 3 || maskBatch !== batch || maskTokens !== tokens) {
    throw new JanusError(
      "E_PROMPT",
      `fuse: images_emb_mask must be [${batch}, N, ${tokens}], got ${shapeText(embMask.dims)}; every image has ${tokens} features`,
    );
  }
  const slots = new Int32Array(slotCount);
  const features = new Int32Array(featureCount);
  const perRow = images * tokens;
  let slot = 0;
  let feature = 0;
  for (let b = 0; b < batch; b++) {
    const slotsBefore = slot;
    const featuresBefore = feature;
    for (let t = b * length; t < (b + 1) * length; t++) if (seqMask.data[t]) slots[slot++] = t;
    for (let f = b * perRow; f < (b + 1) * perRow; f++) if (embMask.data[f]) features[feature++] = f;
    if (slot - slotsBefore !== feature - featuresBefore) {
      throw new JanusError(
        "E_PROMPT",
        `fuse: row ${b} has ${slot - slotsBefore} image slots in images_seq_mask but ${feature - featuresBefore} image features in images_emb_mask; the counts must agree row by row`,
      );
    }
  }
  const used = new Set<number>();
  for (const f of features) used.add(Math.floor(f / tokens));
  return { slots, features, images: [...used] };
}

function checkMask(name: string, mask: Tensor<"bool">): void {
  if (mask?.type !== "bool" || !(mask.data instanceof Uint8Array) || mask.data.length !== elements(mask.dims)) {
    throw new JanusError("E_PROMPT", `fuse: ${name} must be a bool tensor whose data (a Uint8Array) fills its dims`);
  }
  const odd = mask.data.findIndex((value) => value > 1);
  if (odd >= 0) {
    throw new JanusError("E_PROMPT", `fuse: ${name} must hold 0 and 1 only, got ${mask.data[odd]} at index ${odd}`);
  }
}

function countTrue(mask: Uint8Array): number {
  let count = 0;
  for (const value of mask) count += value;
  return count;
}
