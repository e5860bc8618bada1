// Time by stage, what runs and why, and the result as a file.
import { toNpy, toSafetensors, toTorch } from "../../dist/entry/browser/index.js";
import { byId, make, showProblem, size } from "./dom.mjs";

const STAGES = /** @type {const} */ (["decode", "preprocess", "text", "encode", "project", "fuse"]);

/**
 * @param {import("../../dist/entry/browser/index.js").Timings} timings
 * @param {number} [answer] milliseconds of the language model
 */
export function showTimes(timings, answer) {
  byId("times", HTMLElement).hidden = false;
  const rows = [
    ...STAGES.map((stage) => row(stage, timings[stage], timings.total)),
    row("total", timings.total, undefined),
    ...(answer === undefined ? [] : [row("answer", answer, undefined)]),
  ];
  rows[STAGES.length].className = "total";
  byId("time-table", HTMLTableElement).tBodies[0].replaceChildren(...rows);
}

/**
 * @param {string} name
 * @param {number} ms
 * @param {number | undefined} total
 */
function row(name, ms, total) {
  const bar = make("td");
  if (total) {
    const part = make("span", { className: "bar" });
    part.style.width = `${Math.min(100, (100 * ms) / total)}%`;
    bar.append(part);
  }
  const time = ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(1)} ms`;
  return make("tr", {}, [make("th", { scope: "row", textContent: name }), bar, make("td", { textContent: time })]);
}

/** @param {import("../../dist/entry/browser/index.js").Runtime} runtime */
export function showRuntime({ variant, threads, dtype, tile, fma, engine, weightBytes, notes }) {
  byId("runtime", HTMLElement).hidden = false;
  /** @type {[string, string][]} */
  const facts = [
    ["binary", `${variant}, a multiply-add rounds ${fma ? "once" : "twice"}`],
    ["threads", `${threads} of ${navigator.hardwareConcurrency} that the browser offers${whyOne(threads)}`],
    ["weights", `${dtype}, ${size(weightBytes)}`],
    ["tile", tile],
    ["engine", engine],
    ["isolated", crossOriginIsolated ? "yes: workers may share memory" : "no: one worker, memory of its own"],
  ];
  byId("runtime-list", HTMLElement).replaceChildren(
    ...facts.flatMap(([term, text]) => [make("dt", { textContent: term }), make("dd", { textContent: text })]),
  );
  byId("notes", HTMLUListElement).replaceChildren(...notes.map((note) => make("li", { textContent: note })));
}

/**
 * Lets the last result be saved.
 *
 * @param {() => import("../../dist/entry/browser/index.js").EmbedResult | undefined} result
 */
export function offerFiles(result) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-format]"))) {
    button.addEventListener("click", () => {
      showProblem("files-problem");
      try {
        const out = result();
        const format = button.dataset["format"] ?? "";
        if (out) save([...encode(out, format)], `janus.${format}`, "application/octet-stream");
      } catch (error) {
        showProblem("files-problem", error);
      }
    });
  }
}

/**
 * @param {import("../../dist/entry/browser/index.js").EmbedResult} out
 * @param {string} format
 */
function encode(out, format) {
  if (format === "safetensors") {
    const { stages: _, ...result } = out;
    return toSafetensors(result);
  }
  return (format === "npy" ? toNpy(out) : toTorch(out))[0];
}

/**
 * @param {BlobPart[]} parts
 * @param {string} name
 * @param {string} type
 */
export function save(parts, name, type) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  make("a", { href: url, download: name }).click();
  // The download has its own hold of the bytes once it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Why an isolated page has one thread: `threads: "auto"` takes more for models that gain from them. Where isolation is missing, a note says so.
 *
 * @param {number} threads
 */
function whyOne(threads) {
  const small = threads === 1 && crossOriginIsolated && navigator.hardwareConcurrency > 1;
  return small ? ": a picture of this model is too little work to share" : "";
}
