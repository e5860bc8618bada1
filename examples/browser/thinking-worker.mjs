// Off the page's thread: the answer of the checkpoint's small language model, and the colours of the patches.
import { LanguageModel, PREFIX } from "../answer/language-model.mjs";
import { readTensors } from "../answer/weights.mjs";
import { componentColours } from "./principal-components.mjs";

/** By model of the page, the last two: while one is being loaded, the one before it answers. @type {Map<number, Promise<LanguageModel>>} */
const models = new Map();
/** Calls that nobody waits for any more. @type {Set<number>} */
const cancelled = new Set();
/** Milliseconds of an answer between two looks at what was cancelled. */
const LOOK_MS = 20;

const tasks = {
  /**
   * @param {{ place: string | File, config: ConstructorParameters<typeof LanguageModel>[1], model: number }} task where model.safetensors lies
   */
  async load({ place, config, model }) {
    const loaded = load(place, config);
    models.set(model, loaded);
    const [oldest] = models.keys();
    if (models.size > 2 && oldest !== undefined) models.delete(oldest);
    await loaded;
  },

  /** @param {{ embeds: Float32Array, model: number, id: number }} task inputs_embeds of one row, [T, D] */
  async answer({ embeds, model, id }) {
    const loaded = await models.get(model);
    if (!loaded) throw new Error("its language model is no longer loaded");
    const positions = loaded.positions(embeds);
    for (let looked = performance.now(); ; ) {
      const { done, value } = positions.next();
      if (done) return value.ids;
      if (performance.now() - looked < LOOK_MS) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (cancelled.has(id)) return [];
      looked = performance.now();
    }
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
  if (task === "cancel") return void cancelled.add(id);
  try {
    const run = /** @type {(argument: any) => Promise<unknown>} */ (tasks[/** @type {keyof typeof tasks} */ (task)]);
    postMessage({ id, value: await run({ ...argument, id }) });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  } finally {
    cancelled.delete(id);
  }
});
