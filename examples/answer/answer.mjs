// From fused embeddings to words, with the demo checkpoint's own small language model.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { loadLanguageModel } from "./checkpoint.mjs";

/**
 * The answer to every row of a batch.
 *
 * @param {string} folder the demo checkpoint
 * @param {{ dims: readonly number[], data: Float32Array }} inputsEmbeds [B, T, D]
 * @param {{ data: BigInt64Array }} attentionMask [B, T], 0 where a row is padded
 * @returns {Promise<{ ids: number[], text: string, firstLogits: Float64Array }[]>}
 */
export async function answer(folder, inputsEmbeds, attentionMask) {
  const model = await loadLanguageModel(folder);
  const [tokenizer, settings] = await Promise.all(
    ["tokenizer.json", "tokenizer_config.json"].map(async (name) =>
      JSON.parse(await readFile(join(folder, name), "utf8")),
    ),
  );
  const vocabulary = new Tokenizer(tokenizer, settings);
  const [rows, length, dim] = inputsEmbeds.dims;
  return Array.from({ length: rows }, (_, row) => {
    const { ids, firstLogits } = model.greedy(withoutPadding(row, length, dim, inputsEmbeds.data, attentionMask.data));
    return { ids, text: ids.length > 0 ? vocabulary.decode(ids).trim() : "", firstLogits };
  });
}

/**
 * The positions of one row that the mask keeps, one after the other.
 *
 * @param {number} row
 * @param {number} length
 * @param {number} dim
 * @param {Float32Array} embeds
 * @param {BigInt64Array} mask
 */
function withoutPadding(row, length, dim, embeds, mask) {
  const kept = Array.from({ length }, (_, t) => row * length + t).filter((position) => mask[position] !== 0n);
  const out = new Float32Array(kept.length * dim);
  for (const [i, position] of kept.entries()) out.set(embeds.subarray(position * dim, (position + 1) * dim), i * dim);
  return out;
}
