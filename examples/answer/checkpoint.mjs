// The language model of a checkpoint in a directory, for Node.
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LanguageModel, PREFIX } from "./language-model.mjs";
import { readTensors } from "./weights.mjs";

/** @param {string} folder a checkpoint directory in the original layout, with one safetensors file */
export async function loadLanguageModel(folder) {
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")).language_config;
  const weights = await readWeights(join(folder, "model.safetensors"), (name) => name.startsWith(PREFIX));
  return new LanguageModel(weights, config);
}

/**
 * @param {string} path a safetensors file
 * @param {(name: string) => boolean} wanted
 */
export async function readWeights(path, wanted) {
  const file = await open(path);
  try {
    const read = async (/** @type {number} */ offset, /** @type {number} */ length) =>
      (await file.read(new Uint8Array(length), 0, length, offset)).buffer;
    return await readTensors(read, wanted);
  } finally {
    await file.close();
  }
}
