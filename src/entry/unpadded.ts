import { JanusError, quote } from "../errors.js";
import { shapeText, type Tensor } from "../tensor.js";
import type { FloatMatrix } from "../weights/float-chunks.js";
import { checkFloats } from "./floats.js";

/** A batch of sequences: embeddings [B,T,D] and their mask [B,T]; without a mask nothing is padding. */
export interface Sequences {
  readonly inputsEmbeds: Tensor<"float32">;
  readonly attentionMask?: Tensor<"int64"> | undefined;
}

/**
 * Every row of a batch as a matrix [t,D]: the positions where attention_mask is 1, as views. Embeddings [T,D] are one row.
 *
 * @throws JanusError E_SHAPE of origin "input" when the embeddings are neither, or the mask is not theirs, of 0 and 1.
 */
export function unpadded(operation: string, { inputsEmbeds, attentionMask }: Sequences): FloatMatrix[] {
  const one = inputsEmbeds?.dims?.length === 2;
  checkFloats(operation, "inputs_embeds", inputsEmbeds, one ? [null, null] : [null, null, null]);
  if (attentionMask !== undefined) checkMask(operation, attentionMask, inputsEmbeds.dims.slice(0, -1));
  const [batch = 0, length = 0, dim = 0] = one ? [1, ...inputsEmbeds.dims] : inputsEmbeds.dims;
  return Array.from({ length: batch }, (_, row) => {
    const runs = runsOfOnes(attentionMask?.data, row * length, length);
    const parts = runs.map(([begin, end]) => inputsEmbeds.data.subarray(begin * dim, end * dim));
    return { dims: [runs.reduce((sum, [begin, end]) => sum + end - begin, 0), dim], parts };
  });
}

/** [begin, end) of consecutive ones in one row of a mask; of a left-padded row there is one. */
function runsOfOnes(mask: BigInt64Array | undefined, first: number, length: number): [begin: number, end: number][] {
  if (mask === undefined) return [[first, first + length]];
  const runs: [number, number][] = [];
  for (let at = first; at < first + length; at++) {
    if (mask[at] !== 1n) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1]++;
    else runs.push([at, at + 1]);
  }
  return runs;
}

function checkMask(operation: string, mask: Tensor<"int64">, dims: readonly number[]): void {
  const whole = mask?.type === "int64" && mask.data instanceof BigInt64Array;
  const got = whole ? shapeText(mask.dims) : `${quote(mask?.type)} ${shapeText(mask?.dims ?? [])}`;
  const fits = whole && got === shapeText(dims) && mask.data.length === dims.reduce((product, d) => product * d, 1);
  if (!fits) throw wrongMask(operation, `int64 ${shapeText(dims)}, as inputs_embeds`, got);
  const other = mask.data.find((value) => value !== 0n && value !== 1n);
  if (other !== undefined) throw wrongMask(operation, "0 and 1", quote(other));
}

function wrongMask(operation: string, expected: string, got: string): JanusError {
  const message = `${operation}: attention_mask must be ${expected}, got ${got}`;
  return new JanusError("E_SHAPE", message, { origin: "input" });
}
