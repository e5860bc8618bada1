// The page: pictures and a question in, what the model sees out.
import { offerBenchmark } from "./benchmark.mjs";
import { byId, sentence, showProblem, swap } from "./dom.mjs";
import { offerFiles, showRuntime, showTimes } from "./facts.mjs";
import { Figure } from "./figure.mjs";
import { filesOf } from "./model-files.mjs";
import { DEMO, ModelPanel } from "./model-panel.mjs";
import { fetchExample, offerExamples, Tray, takeDrops } from "./pictures.mjs";
import { Strip } from "./strip.mjs";
import { think } from "./thinking.mjs";

/** The example that a first visit shows. */
const FIRST = 6;

/** How long the answer before stays, dimmed: what is answered within this does not flicker. */
const OLD_MS = 400;

const question = byId("question", HTMLInputElement);
const answer = byId("answer", HTMLParagraphElement);
const answerNote = byId("answer-note", HTMLParagraphElement);
const run = byId("run", HTMLButtonElement);
const cancel = byId("cancel", HTMLButtonElement);
const tray = new Tray();
const strip = new Strip(point);
const figure = new Figure(point);
const panel = new ModelPanel(() => {
  if (asked) void ask();
});

/** @type {import("../../dist/entry/browser/index.js").EmbedResult | undefined} */
let result;
/** @type {AbortController | undefined} */
let running;
/** Whether a question waits for a model, or may be asked again of the next. */
let asked = false;

/** @param {number} patch */
function point(patch) {
  strip.point(patch);
  byId("patch-line", HTMLParagraphElement).textContent = figure.point(patch);
}

async function ask() {
  asked = true;
  running?.abort(new Error("Another question was asked."));
  const { loaded } = panel;
  showProblem("problem");
  answerNote.textContent = "";
  if (!loaded) {
    answer.textContent = "";
    answerNote.textContent = panel.loading ? "The model is still being loaded." : "There is no model; load one below.";
    return;
  }
  const call = new AbortController();
  running = call;
  setBusy(true);
  const old = setTimeout(() => {
    answer.textContent = "";
  }, OLD_MS);
  /** @type {typeof result} */
  let out;
  try {
    const { janus, vocabulary, thinker } = loaded;
    const request = { question: question.value, images: tray.pictures };
    out = await janus.embed(request, { signal: call.signal, stages: true });
    call.signal.throwIfAborted();
    result = out;
    showResult(out, loaded);
    try {
      const model = await Promise.race([thinker, cancelled(call.signal)]);
      const begun = performance.now();
      /** @type {number[]} */
      const ids = await think("answer", { embeds: out.inputsEmbeds.data, model }, call.signal);
      call.signal.throwIfAborted();
      answer.textContent = vocabulary?.text(ids).trim() || "(nothing)";
      showTimes(out.timings, performance.now() - begun);
    } catch (error) {
      call.signal.throwIfAborted();
      answer.textContent = "";
      answerNote.textContent = sentence(error);
    }
  } catch (error) {
    if (running !== call) return;
    answer.textContent = "";
    // What is shown of a picture that was cancelled in the middle of its answer is of this question; otherwise it is of another.
    if (result !== out) hideResult();
    showProblem("problem", error);
  } finally {
    clearTimeout(old);
    if (running === call) {
      running = undefined;
      setBusy(false);
    }
  }
}

/**
 * Rejects when a call is cancelled, whatever else it waits for.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
function cancelled(signal) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

/** @param {boolean} busy */
function setBusy(busy) {
  document.body.classList.toggle("busy", busy);
  if (busy) swap(run, cancel);
  else swap(cancel, run);
}

/** What is of another question than the one above. */
function hideResult() {
  result = undefined;
  for (const id of ["seen", "sequence", "times", "files"]) byId(id, HTMLElement).hidden = true;
}

/**
 * @param {import("../../dist/entry/browser/index.js").EmbedResult} out
 * @param {import("./model-panel.mjs").Loaded} loaded
 */
function showResult(out, { janus, vocabulary }) {
  const { preprocess, tokens, width, patchSize } = janus.config;
  const grid = Math.sqrt(tokens);
  const features = out.stages?.["image_features"];
  const pixels = out.stages?.["pixel_values"];
  const ids = Array.from(out.inputIds.data, Number);
  byId("sequence", HTMLElement).hidden = false;
  strip.show(ids, out.imagesSeqMask.data, vocabulary, tokens);
  byId("files", HTMLElement).hidden = false;
  showTimes(out.timings);
  showRuntime(janus.runtime);
  const seen = features !== undefined && pixels !== undefined && features.data.length > 0;
  byId("seen", HTMLElement).hidden = !seen;
  if (!seen) return;
  figure.show({ pixels, preprocess, features: features.data, width, grid, patchSize });
  think("colours", { features: features.data, width }).then(
    (colours) => {
      if (result !== out) return;
      figure.colour(colours);
      strip.colour(colours);
    },
    (error) => showProblem("problem", error),
  );
  point(Math.floor(grid / 2) * grid + Math.floor(grid / 2));
}

/**
 * @param {readonly Blob[]} pictures
 * @param {string} [words]
 */
function take(pictures, words) {
  tray.show(pictures);
  if (words !== undefined) question.value = words;
  else
    for (const pressed of document.querySelectorAll("#examples [aria-pressed=true]"))
      pressed.setAttribute("aria-pressed", "false");
  if (question.value) void ask();
  else question.focus();
}

byId("ask", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void ask();
});
cancel.addEventListener("click", () => running?.abort(new Error("The question was cancelled.")));
byId("retry", HTMLButtonElement).addEventListener("click", () => {
  // The button goes with the problem.
  run.focus();
  void ask();
});
const pick = byId("pick", HTMLInputElement);
pick.addEventListener("change", () => {
  if (pick.files?.length) take([...pick.files]);
  pick.value = "";
});
takeDrops(
  (pictures) => take(pictures),
  (folder) =>
    filesOf(folder).then(
      (files) => panel.load(files),
      (error) => showProblem("model-problem", error),
    ),
);
offerFiles(() => result);
offerBenchmark(() => {
  const pixels = result?.stages?.["pixel_values"];
  const pictures = result?.stages?.["image_features"]?.dims[0];
  return panel.loaded && pixels && pictures ? { loaded: panel.loaded, pixels } : undefined;
});

const loading = panel.load(DEMO);
const examples = `${DEMO}examples/`;
const offered = await offerExamples(examples, take);
const { images, question: words } = offered[FIRST];
take(await fetchExample(examples, images), words);
document.querySelectorAll("#examples button")[FIRST]?.setAttribute("aria-pressed", "true");
await loading;

if ("serviceWorker" in navigator) {
  // After the first answer, for which it would compete.
  const { keepForOffline } = await import("./offline.mjs");
  await keepForOffline(byId("offline", HTMLParagraphElement));
}
