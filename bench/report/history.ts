/**
 * Ratios of runs over time: to the engine's own peak, to each peer, and of threads to each other. They last where seconds do not, and are
 * compared on the same kind of machine and the same engine only. Higher is better, all of them.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ModelResult, RESULTS, type Results, type Setting, sameKind } from "./results.js";

export const HISTORY = join(RESULTS, "history.jsonl");

/** One line of the history: what was measured of one variant with one number of threads. */
export interface RatioRecord {
  readonly date: string;
  readonly commit: string;
  /** Microarchitecture of the processor. */
  readonly machine: string;
  readonly engine: string;
  readonly flags: readonly string[];
  readonly variant: string;
  readonly threads: number;
  readonly ratios: Readonly<Record<string, number>>;
}

type MutableRecord = RatioRecord & { readonly ratios: Record<string, number> };

/** The records of one run. */
export function recordsOf(results: Results): RatioRecord[] {
  const records = new Map<string, MutableRecord>();
  const add = (at: Setting & { variant?: string; threads: number }, name: string, ratio: number): void => {
    const record: MutableRecord = {
      date: results.date,
      commit: results.package.commit,
      machine: results.machine.microarchitecture,
      engine: at.engine,
      flags: at.flags,
      variant: at.variant ?? "",
      threads: at.threads,
      ratios: {},
    };
    const known = records.get(kindOf(record)) ?? record;
    records.set(kindOf(record), known);
    // Of several tiles the fastest: which one that is is the engine's business.
    known.ratios[name] = Math.max(known.ratios[name] ?? 0, rounded(ratio));
  };
  for (const kernel of results.kernels) {
    if (kernel.ofPeak === undefined) continue;
    add(kernel, `${kernel.kernel} ${kernel.shape} ${kernel.storage} of the peak`, kernel.ofPeak);
  }
  for (const model of results.model) {
    if (model.contender !== "janus-wasm") continue;
    for (const other of results.model) {
      const together = other.engine === model.engine && other.threads === model.threads;
      if (other.contender !== "janus-wasm" && together && sameKind(other, model))
        add(model, `${model.dtype} to ${other.contender}`, other.one.min / model.one.min);
    }
    const wide = results.model.find(
      (other) =>
        other.dtype === "fp32" && other.threads === model.threads && sameBut({ ...other, dtype: "int8" }, model),
    );
    if (wide) add(model, "int8 to fp32", wide.one.min / model.one.min);
    const single = results.model.find((other) => other.threads === 1 && sameBut(other, model));
    if (model.threads > 1 && single) add(model, `${model.dtype} to one thread`, single.one.min / model.one.min);
    if (model.eight && model.eightCalls)
      add(model, `${model.dtype} eight in a call to eight calls`, model.eightCalls.min / model.eight.min);
  }
  for (const load of results.load) add(load, `${load.dtype} reading to loading`, load.read.min / load.load.min);
  return [...records.values()];
}

export interface Comparison {
  readonly kind: string;
  readonly name: string;
  readonly before: number;
  /** Undefined when the run has no such ratio any more. */
  readonly now: number | undefined;
  /** now / before - 1 is below minus the tolerance, or there is no `now`. */
  readonly worse: boolean;
}

/** Every ratio of the last record of each kind that the run has, and the kinds that have no record yet. */
export function compareWithHistory(
  run: readonly RatioRecord[],
  history: readonly RatioRecord[],
  tolerance: number,
): { readonly comparisons: readonly Comparison[]; readonly unknown: readonly string[] } {
  const comparisons: Comparison[] = [];
  const unknown: string[] = [];
  for (const record of run) {
    const kind = kindOf(record);
    const last = history.findLast((line) => kindOf(line) === kind);
    if (!last) unknown.push(kind);
    for (const [name, before] of Object.entries(last?.ratios ?? {})) {
      const now = record.ratios[name];
      comparisons.push({ kind, name, before, now, worse: now === undefined || now / before - 1 < -tolerance });
    }
  }
  return { comparisons, unknown };
}

export function readHistory(path = HISTORY): RatioRecord[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

export function appendHistory(records: readonly RatioRecord[], path = HISTORY): void {
  appendFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/** What must be the same for two ratios to be comparable. */
function kindOf({ machine, engine, flags, variant, threads }: Omit<RatioRecord, "date" | "commit" | "ratios">): string {
  return [machine, [engine, ...flags].join(" "), variant, threads === 1 ? "1 thread" : `${threads} threads`].join(", ");
}

function sameBut(a: ModelResult, b: ModelResult): boolean {
  return (
    a.contender === b.contender && a.engine === b.engine && a.dtype === b.dtype && a.flags.join() === b.flags.join()
  );
}

/** Four digits: the noise is in the third. */
function rounded(ratio: number): number {
  return Number(ratio.toPrecision(4));
}
