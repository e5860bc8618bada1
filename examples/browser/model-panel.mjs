// Which checkpoint is loaded, in which precision; progress, cancel and retry.
import { Janus } from "../../dist/entry/browser/index.js";
import { byId, showProblem, size } from "./dom.mjs";
import { filesPicked, locate, readJson } from "./model-files.mjs";
import { think } from "./thinking.mjs";
import { Vocabulary } from "./vocabulary.mjs";

export const DEMO = new URL("../../models/demo/", import.meta.url).href;

/** Language models of more parameters are not for plain JavaScript. */
const SMALL = 20e6;

/** Numbers for the thinking worker. */
let models = 0;

/**
 * @typedef {object} Loaded
 * @property {Janus} janus
 * @property {string} name
 * @property {import("./model-files.mjs").Model} model
 * @property {Vocabulary | undefined} vocabulary
 * @property {Promise<number>} thinker its small language model's number; rejects with why there is none
 */

export class ModelPanel {
  /** @param {(loaded: Loaded) => void} onLoaded */
  constructor(onLoaded) {
    this.onLoaded = onLoaded;
    /** The one that was asked for last, which may not have come. @type {import("./model-files.mjs").Model} */
    this.model = DEMO;
    /** @type {Loaded | undefined} */
    this.loaded = undefined;
    const name = byId("model-name", HTMLInputElement);
    byId("model-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (name.value.trim()) void this.load(name.value.trim());
    });
    byId("model-demo", HTMLButtonElement).addEventListener("click", () => void this.load(DEMO));
    const folder = byId("model-folder", HTMLInputElement);
    folder.addEventListener("change", () => {
      if (folder.files?.length) void this.load(filesPicked(folder.files));
      folder.value = "";
    });
    for (const choice of document.getElementsByName("dtype"))
      choice.addEventListener(
        "change",
        () => void this.load(this.loading ? this.model : (this.loaded?.model ?? this.model)),
      );
    byId("model-cancel", HTMLButtonElement).addEventListener("click", () =>
      this.loading?.abort(new Error("Loading was cancelled.")),
    );
    byId("model-retry", HTMLButtonElement).addEventListener("click", () => {
      void this.load(this.model);
      // The button goes with the problem.
      byId("model-cancel", HTMLButtonElement).focus();
    });
  }

  /**
   * Loads a model in place of the one that is loaded, which stays until then.
   *
   * @param {import("./model-files.mjs").Model} model
   */
  async load(model) {
    this.loading?.abort(new Error("Another model was chosen."));
    const loading = new AbortController();
    this.loading = loading;
    this.model = model;
    const name = model === DEMO ? "demo model" : typeof model === "string" ? model : "folder";
    const form = new FormData(byId("model-form", HTMLFormElement));
    const dtype = /** @type {"auto" | "int8" | "fp32"} */ (form.get("dtype"));
    showProblem("model-problem");
    this.#progress(name, undefined);
    try {
      const { signal } = loading;
      const words = readWords(model, signal);
      const thinker = readThinker(model);
      // Without an answer everything else is shown, and its reason when one is asked for.
      thinker.catch(() => {});
      const janus = await Janus.load(model, {
        dtype,
        signal,
        onProgress: (event) => {
          if (event.status === "progress") this.#progress(event.file === "" ? name : event.file, event);
        },
      });
      if (signal.aborted) {
        await janus.dispose();
        throw signal.reason;
      }
      const before = this.loaded;
      this.loaded = { janus, name, model, vocabulary: await words, thinker };
      await before?.janus.dispose();
      this.#line();
      this.onLoaded(this.loaded);
    } catch (error) {
      if (this.loading === loading) {
        showProblem("model-problem", error);
        this.#line();
      }
    } finally {
      if (this.loading === loading) {
        this.loading = undefined;
        const box = byId("loading", HTMLDivElement);
        if (box.contains(document.activeElement)) byId("model-name", HTMLInputElement).focus();
        box.hidden = true;
      }
    }
  }

  /**
   * @param {string} name
   * @param {{ loaded: number, total: number } | undefined} event
   */
  #progress(name, event) {
    byId("loading", HTMLDivElement).hidden = false;
    const bar = byId("progress", HTMLProgressElement);
    const done = event && event.total > 0 ? event.loaded / event.total : undefined;
    if (done === undefined) bar.removeAttribute("value");
    else bar.value = done;
    const share = event ? `${size(event.loaded)} of ${size(event.total)}` : "opening";
    byId("progress-line", HTMLSpanElement).textContent = `Loading ${name}: ${share}`;
    byId("model-line", HTMLParagraphElement).textContent =
      `loading ${name}${done === undefined ? "" : `, ${Math.round(100 * done)} %`}`;
  }

  #line() {
    const { janus, name } = this.loaded ?? {};
    byId("model-line", HTMLParagraphElement).textContent = janus
      ? `${name}, ${janus.runtime.dtype}, ${janus.runtime.threads} ${janus.runtime.threads === 1 ? "thread" : "threads"}`
      : "no model";
  }
}

/**
 * @param {import("./model-files.mjs").Model} model
 * @param {AbortSignal} signal
 */
async function readWords(model, signal) {
  try {
    const tokenizer = await readJson(model, "tokenizer.json", signal);
    return tokenizer && new Vocabulary(tokenizer);
  } catch {
    return undefined; // Positions then show ids.
  }
}

/**
 * The small language model of a checkpoint that has one.
 *
 * @param {import("./model-files.mjs").Model} of
 */
async function readThinker(of) {
  const without = (/** @type {string} */ why) =>
    new Error(`No answer: ${why}. Give the fused sequence to the checkpoint’s own language model.`);
  /** @type {{ num_hidden_layers: number, hidden_size: number, intermediate_size: number, vocab_size: number } & ConstructorParameters<typeof import("../answer/language-model.mjs").LanguageModel>[1] | undefined} */
  const config = (await readJson(of, "config.json"))?.language_config;
  const place = locate(of, "model.safetensors");
  if (!config?.num_hidden_layers || !place)
    throw without("this checkpoint has no language model that this page can run");
  const { num_hidden_layers: layers, hidden_size: width, intermediate_size: inner, vocab_size: words } = config;
  const parameters = layers * (4 * width ** 2 + 3 * width * inner) + 2 * words * width;
  if (!(parameters < SMALL)) throw without("this checkpoint’s language model is too large for plain JavaScript");
  const model = models++;
  try {
    await think("load", { place, config, model });
    return model;
  } catch (error) {
    throw without(error instanceof Error ? error.message : String(error));
  }
}
