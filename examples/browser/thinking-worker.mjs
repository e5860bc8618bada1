// Off the page's thread: the answer of the checkpoint's small language model, and the colours of the patches.
import { LanguageModel, PREFIX } from "../answer/language-model.mjs";
import { readTensors } from "../answer/weights.mjs";
import { componentColours } from "./principal-components.mjs";

/** @type {Promise<LanguageModel> | undefined} */
let model;

const tasks = {
  /**
   * @param {{ place: string | File, config: ConstructorParameters<typeof LanguageModel>[1] }} task where model.safetensors lies
   */
  async load({ place, config }) {
    model = load(place, config);
    await model;
  },

  /** @param {{ embeds: Float32Array }} task inputs_embeds of one row, [T, D] */
  async answer({ embeds }) {
    if (!model) throw new Error("no language model was loaded");
    return (await model).greedy(embeds).ids;
  },

  /** @param {{ features: Float32Array, width: number }} task */
  async colours({ features, width }) {
    return componentColours(features, width);
  },
};

/**
 * @param {string | File} place
 * @param {ConstructorParameters<typeof LanguageModel>[1]} config
 */
async function load(place, config) {
  const file = typeof place === "string" ? await (await fetch(place)).blob() : place;
  const read = async (/** @type {number} */ offset, /** @type {number} */ length) =>
    new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
  return new LanguageModel(await readTensors(read, (name) => name.startsWith(PREFIX)), config);
}

addEventListener("message", async ({ data: { id, task, ...argument } }) => {
  try {
    const run = /** @type {(argument: any) => Promise<unknown>} */ (tasks[/** @type {keyof typeof tasks} */ (task)]);
    postMessage({ id, value: await run(argument) });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
