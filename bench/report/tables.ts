/** A results file as the Markdown of the README. */
import type { KernelResult, ModelResult, PhaseResult, Results, Setting } from "./results.js";
import { sameKind } from "./results.js";

/** Phases below this part of every column stand together in one row. */
const SMALL = 0.003;

/** Where the text of a phase differs from the kernel's name. */
const PHASES: Readonly<Record<string, string>> = {
  barrier: "waiting for other threads",
  "copies and messages": "copies, checks, messages",
};

/** Everything between the README's markers. `file` is the path of the results, `plot` that of the picture, from the README. */
export function renderReport(results: Results, file: string, plot: string): string {
  const { machine, model } = results;
  const phases = results.phases.filter(({ engine }) => engine === model[0]?.engine);
  const floats = phases.filter(({ dtype }) => dtype !== "int8");
  const int8 = phases.filter(({ dtype }) => dtype === "int8");
  const products = results.kernels.some(({ storage }) => storage === "int8")
    ? "f32, bf16 and int8 weights, these as a part of the fastest loop of 8-bit products"
    : "f32 and bf16 weights";
  const count = Math.min(...model.map(({ one }) => one.count));
  const features = machine.features.length > 0 ? ` (${machine.features.join(", ")})` : "";
  return [
    `One 384x384 picture through the tower and the aligner of a full-size Janus-Pro-1B (389 GFLOP), on ${machine.cpu}, ${machine.microarchitecture}${features}, ${machine.cores} cores. Every contender was verified against the float64 rows first and ran in a process of its own, in turn with the others; the fastest of ${count} runs. [${file.split("/").at(-1)}](${file}) has the rest, \`npm run bench\` measures anew.`,
    `![seconds a picture, by contender and threads](${plot})`,
    modelTable(results),
    `Products and attention on one thread, as a part of the engine's own multiply-add peak (a loop that stays in registers, same run), ${products}:`,
    kernelTable(results),
    "Where the time of one picture goes (bf16):",
    phaseTable(floats),
    ...(int8.length > 0 ? ["The same in int8:", phaseTable(int8)] : []),
    restTable(results),
  ].join("\n\n");
}

function modelTable({ model }: Results): string {
  const threads = [...new Set(model.map((result) => result.threads))];
  const rows = new Map<string, ModelResult[]>();
  for (const result of model) {
    const label = modelLabel(result);
    rows.set(label, [...(rows.get(label) ?? []), result]);
  }
  const body = [...rows].map(([label, results]) => [
    label,
    ...threads.flatMap((count) => {
      const result = results.find((candidate) => candidate.threads === count);
      if (!result) return ["", ""];
      const web = model.find(
        (other) =>
          other.contender === "onnxruntime-web" &&
          other.engine === result.engine &&
          other.threads === count &&
          sameKind(other, result),
      );
      return [seconds(result.one.min), web ? `${(web.one.min / result.one.min).toFixed(2)}x` : ""];
    }),
    megabytes(Math.max(...results.map(({ peakBytes }) => peakBytes))),
  ]);
  const heads = threads.flatMap((count) => [threadsText(count), "to onnxruntime-web"]);
  return table(["", ...heads, "peak memory"], body);
}

function modelLabel(result: ModelResult): string {
  const name = [result.contender === "janus-wasm" ? "**janus-wasm**" : result.contender, result.contenderVersion];
  const native = result.contender === "onnxruntime-node" ? " (native)" : "";
  return `${name.filter(Boolean).join(" ")}${native}, ${dtypeText(result.dtype)}, ${settingText(result)}`;
}

function kernelTable({ kernels, model }: Results): string {
  const columns = ["gemm qkv", "gemm proj", "gemm fc1", "gemm fc2", "attention head"];
  const groups = new Map<string, KernelResult[]>();
  for (const result of kernels) {
    const key = `${settingText(result)}, \`${result.variant}\``;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  const body = [...groups]
    .filter(([, results]) => isTaken(results[0], model))
    .map(([label, results]) => {
      const peaks = results.filter(({ kernel }) => kernel === "peak");
      const cells = columns.map((column) =>
        (["f32", "bf16", "int8"] as const)
          .map((storage) => {
            const found = results.filter((r) => `${r.kernel} ${r.shape}` === column && r.storage === storage);
            return found.length === 0 ? "" : percent(Math.max(...found.map(({ ofPeak = 0 }) => ofPeak)), 0);
          })
          .filter(Boolean)
          .join(" / "),
      );
      return [label, peaks.map(({ rate, unit }) => `${rate.toFixed(0)} ${unit}`).join(", "), ...cells];
    });
  return table(["", "peak", "qkv", "proj", "fc1", "fc2", "attention"], body);
}

/** Whether loading takes this variant on this engine: rows that nobody meets are left out. */
function isTaken(kernel: KernelResult | undefined, model: readonly ModelResult[]): boolean {
  return model.some(
    ({ contender, variant, engine, flags }) =>
      contender === "janus-wasm" &&
      engine === kernel?.engine &&
      flags.join() === kernel.flags.join() &&
      variant?.replace("-threads", "") === kernel.variant,
  );
}

function phaseTable(results: readonly PhaseResult[]): string {
  const part = (result: PhaseResult, name: string): number => (result.phases[name] ?? 0) / result.ms;
  const largest = (name: string): number => Math.max(...results.map((result) => part(result, name)));
  const names = [...new Set(results.flatMap(({ phases }) => Object.keys(phases)))].sort(
    (a, b) => largest(b) - largest(a),
  );
  const shown = names.filter((name) => largest(name) >= SMALL);
  const small = names.filter((name) => largest(name) < SMALL);
  const body = shown.map((name) => [PHASES[name] ?? name, ...results.map((result) => percent(part(result, name), 1))]);
  if (small.length > 0) {
    const sum = (result: PhaseResult): number => small.reduce((total, name) => total + part(result, name), 0);
    body.push([small.join(", "), ...results.map((result) => percent(sum(result), 1))]);
  }
  const heads = results.map((result) => `${settingText(result)}, ${threadsText(result.threads)}`);
  return table(["", ...heads], [...body, ["milliseconds", ...results.map(({ ms }) => ms.toFixed(0))]]);
}

/** Loading, starting, and many pictures. */
function restTable({ load, coldStart, model }: Results): string {
  const loads = load.map((r) => [
    `loading ${dtypeText(r.dtype)}${r.dtype === "int8" ? ", packed," : ""} from the page cache, ${settingText(r)}, ${threadsText(r.threads)}`,
    `${milliseconds(r.load.min)}, ${(r.load.min / r.read.min).toFixed(1)} times the plain reading of its bytes into memory (${milliseconds(r.read.min)}; into a small buffer, again and again, ${milliseconds(r.reread.min)}); peak ${megabytes(r.peakBytes)}, ${megabytes(r.weightBytes)} of them weights`,
  ]);
  const starts = coldStart.map((r) => [
    `process start to the first result, demo model, raw pixels, ${settingText(r)}`,
    `${milliseconds(r.first.min - r.empty.min)} more than an empty Node's ${milliseconds(r.empty.min)}`,
  ]);
  const eights = model.flatMap(({ eight, eightCalls, ...r }) =>
    eight && eightCalls
      ? [
          [
            `8 pictures in one call, ${settingText(r)}, ${threadsText(r.threads)}`,
            `${seconds(eight.min / 8)} each; in 8 calls ${seconds(eightCalls.min / 8)}`,
          ],
        ]
      : [],
  );
  return table(["", "measured"], [...loads, ...starts, ...eights]);
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(head.map((_, n) => (n === 0 ? "---" : "---:")));
  return [line(head), rule, ...body.map(line)].join("\n");
}

/** `Node 24, revectorizer`. */
export function settingText({ engine, flags }: Setting): string {
  const names = flags.map((flag) =>
    flag.replace(/^--(experimental-)?(wasm-)?/, "").replace("revectorize", "revectorizer"),
  );
  return [engine.replace("node", "Node"), ...names].join(" + ");
}

export function dtypeText(dtype: string): string {
  return dtype === "fp32" ? "f32" : dtype;
}

export function threadsText(count: number): string {
  return count === 1 ? "1 thread" : `${count} threads`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(0)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function percent(part: number, digits: number): string {
  return `${(100 * part).toFixed(digits)} %`;
}
