import { JanusError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { elements, shapeText } from "../tensor.js";

/**
 * Rows of the token table that a batch of ids asks for. Ids below zero read as 0 (modeling_vlm.py: `input_ids[input_ids < 0] = 0`), here
 * without touching the caller's array. E_PROMPT for an id beyond the table or a tensor that is not int64 [B,T].
 */
export function tokenRows(inputIds: Tensor<"int64">, vocabRows: number): Int32Array<ArrayBuffer> {
  if (inputIds?.type !== "int64" || !(inputIds.data instanceof BigInt64Array)) {
    throw new JanusError("E_PROMPT", "embedding tokens: input_ids must be an int64 tensor (data a BigInt64Array)");
  }
  if (inputIds.dims.length !== 2 || inputIds.data.length !== elements(inputIds.dims)) {
    throw new JanusError(
      "E_PROMPT",
      `embedding tokens: input_ids must be [B, T] with B*T elements, got dims ${shapeText(inputIds.dims)} and ${inputIds.data.length} elements`,
    );
  }
  const limit = BigInt(vocabRows);
  return Int32Array.from(inputIds.data, (id, at) => {
    if (id >= limit) {
      throw new JanusError(
        "E_PROMPT",
        `embedding tokens: id ${id} at index ${at} is beyond the token table, which has ${vocabRows} rows`,
      );
    }
    return id < 0n ? 0 : Number(id);
  });
}

/** E_PROMPT for a batch of ids [B,T] that the language model was not built for: to be asked before anything is computed. */
export function checkSequence(inputIds: Tensor<"int64">, vocabRows: number, maxPositions: number): void {
  tokenRows(inputIds, vocabRows);
  const [, length = 0] = inputIds.dims;
  if (length <= maxPositions) return;
  throw new JanusError(
    "E_PROMPT",
    `embedding tokens: input_ids must be at most ${maxPositions} positions long (max_position_embeddings), got ${length}`,
  );
}

/** The distinct values of `rows`, ascending, and for each element its place among them. */
export function distinctRows(rows: Int32Array): {
  readonly distinct: readonly number[];
  readonly index: Int32Array<ArrayBuffer>;
} {
  const distinct = [...new Set(rows)].sort((a, b) => a - b);
  const place = new Map(distinct.map((row, at) => [row, at]));
  return { distinct, index: rows.map((row) => place.get(row) ?? 0) };
}
