// The kernels in a worker of their own, then one picture with the page's model; saved in the shape of `npm run bench`.
import { byId, make, showProblem, swap } from "./dom.mjs";
import { save } from "./facts.mjs";

const KERNELS = new URL("../../dist/demo/kernels-worker.js", import.meta.url);
/** Milliseconds of a sample, and samples of a case: a quarter of a minute for all. */
const ASK = { sampleMs: 10, samples: 10, variants: ["simd", "relaxed"] };
/** As `npm run bench -- --quick`: what is timed is verified, and the figures say little. */
const QUICK = { sampleMs: 2, samples: 2 };
/** Runs of the picture, of which the fastest counts. */
const PICTURES = 5;

/** @typedef {Record<string, any>} Kernel one of `kernels` in bench/report/results.ts */

/**
 * @param {() => { loaded: import("./model-panel.mjs").Loaded, pixels: import("../../dist/entry/browser/index.js").Tensor<"float32"> } | undefined} current the model, and
 * pixel_values [B,N,3,S,S] of the last question
 */
export function offerBenchmark(current) {
  const [run, cancel, keep] = ["bench-run", "bench-cancel", "bench-export"].map((id) => byId(id, HTMLButtonElement));
  const line = byId("bench-line", HTMLSpanElement);
  const table = byId("bench-table", HTMLTableElement);
  const quickly = byId("bench-quick", HTMLInputElement);
  let results = {};
  /** @type {AbortController | undefined} */
  let running;
  run.addEventListener("click", async () => {
    showProblem("bench-problem");
    running = new AbortController();
    swap(run, cancel);
    keep.hidden = true;
    const quick = quickly.checked;
    quickly.disabled = true;
    const variant = current()?.loaded.janus.runtime.variant.replace(/-threads$/, "") ?? "simd";
    try {
      const { signal } = running;
      const say = (/** @type {string} */ text) => {
        line.textContent = text;
      };
      const kernels = await timeKernels(quick ? { ...QUICK, variants: [variant] } : ASK, say, signal);
      showKernels(table, kernels);
      const model = await timePicture(current(), signal);
      line.textContent = pictureLine(model);
      results = await resultsOf(kernels, model, quick);
      keep.hidden = false;
    } catch (error) {
      line.textContent = "";
      if (!running.signal.aborted) showProblem("bench-problem", error);
    } finally {
      swap(cancel, run);
      quickly.disabled = false;
    }
  });
  cancel.addEventListener("click", () => running?.abort(new Error("The benchmark was cancelled.")));
  keep.addEventListener("click", () =>
    save([JSON.stringify(results, null, 2), "\n"], "janus-bench.json", "application/json"),
  );
}

/**
 * @param {typeof ASK} asked
 * @param {(text: string) => void} say
 * @param {AbortSignal} signal
 * @returns {Promise<Kernel[]>}
 */
function timeKernels(asked, say, signal) {
  const worker = new Worker(KERNELS, { type: "module" });
  say("Checking the kernels");
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    worker.addEventListener("error", ({ message }) =>
      reject(new Error(message || "dist/demo/kernels-worker.js did not load; `npm run build:demo` makes it")),
    );
    worker.addEventListener("message", ({ data }) => {
      if (data.kind === "ready") worker.postMessage(asked);
      else if (data.kind === "case") say(`${data.done + 1} of ${data.all}: ${data.name}`);
      else if (data.kind === "done") resolve(data.kernels);
      else reject(new Error(data.why));
    });
  }).finally(() => worker.terminate());
}

/**
 * Encode and project of the pictures of the last question, one by one.
 *
 * @param {ReturnType<Parameters<typeof offerBenchmark>[0]>} current
 * @param {AbortSignal} signal
 */
async function timePicture(current, signal) {
  if (!current) return undefined;
  const { janus } = current.loaded;
  const { imageSize: size } = janus.config;
  const one = 3 * size ** 2;
  const pixels = /** @type {const} */ ({ type: "float32", dims: [1, 3, size, size] });
  /** @type {number[]} */
  const took = [];
  // The first finds the code cold.
  for (let i = 0; i <= PICTURES; i++) {
    const started = performance.now();
    await janus.project(await janus.encode({ ...pixels, data: current.pixels.data.slice(0, one) }, { signal }), {
      signal,
    });
    took.push(performance.now() - started);
  }
  const sorted = took.slice(1).sort((a, b) => a - b);
  return { janus, min: sorted[0], median: sorted[Math.floor(PICTURES / 2)], count: PICTURES };
}

/** @param {Awaited<ReturnType<typeof timePicture>>} model */
function pictureLine(model) {
  if (!model) return "No picture to measure.";
  const { dtype, threads } = model.janus.runtime;
  return `One picture, ${dtype}, ${threads} ${threads === 1 ? "thread" : "threads"}: ${model.min.toFixed(1)} ms, the fastest of ${model.count}.`;
}

/**
 * @param {HTMLTableElement} table
 * @param {Kernel[]} kernels
 */
function showKernels(table, kernels) {
  table.hidden = false;
  const shown = kernels.filter(({ kernel }) => ["peak", "gemm", "attention"].includes(kernel));
  table.tBodies[0].replaceChildren(
    ...shown.map(({ kernel, shape, variant, storage, tile, rate, unit, ofPeak }) =>
      make("tr", {}, [
        make("td", { textContent: kernel === "peak" ? "peak" : kernel === "gemm" ? `product ${shape}` : kernel }),
        make("td", { textContent: variant }),
        make("td", { textContent: storage }),
        make("td", { textContent: tile ?? "" }),
        make("td", { textContent: `${rate.toFixed(1)} ${unit}` }),
        make("td", { textContent: ofPeak === undefined ? "" : `${Math.round(100 * ofPeak)} %` }),
      ]),
    ),
  );
}

/**
 * What a page is not told, of the machine above all, is null.
 *
 * @param {Kernel[]} kernels
 * @param {Awaited<ReturnType<typeof timePicture>>} model
 * @param {boolean} quick
 */
async function resultsOf(kernels, model, quick) {
  const about = await (await fetch(new URL("../../dist/demo/package.json", import.meta.url))).json();
  const version = /(?:Chrome|Firefox|Version)\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;
  const setting = { engine: version.replace(/\/(\d+).*/, " $1").toLowerCase(), version, v8: null, flags: [] };
  return {
    date: new Date().toISOString(),
    quick,
    complete: false,
    machine: {
      cpu: null,
      microarchitecture: null,
      features: [],
      cores: navigator.hardwareConcurrency,
      memoryBytes: null,
      platform: navigator.platform,
    },
    package: about,
    kernels: kernels.map((kernel) => ({ ...setting, ...kernel })),
    model: model
      ? [
          {
            contender: "janus-wasm",
            contenderVersion: about.version,
            ...setting,
            variant: model.janus.runtime.variant,
            tile: model.janus.runtime.tile,
            dtype: model.janus.runtime.dtype,
            threads: model.janus.runtime.threads,
            distance: null,
            one: { min: model.min, median: model.median, count: model.count },
            loadMs: null,
            peakBytes: null,
          },
        ]
      : [],
    load: [],
    coldStart: [],
    phases: [],
  };
}
