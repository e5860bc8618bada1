import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Machine } from "../machine.js";

/** Of a set of samples: figures are made of the fastest, the median says how noisy the machine was. */
export interface Samples {
  readonly min: number;
  readonly median: number;
  readonly count: number;
}

/** What ran: the engine's flags are those in force, set by whom ever. */
export interface Setting {
  /** `node 24`. */
  readonly engine: string;
  readonly version: string;
  readonly v8: string;
  readonly flags: readonly string[];
}

export interface KernelResult extends Setting {
  readonly variant: string;
  readonly threads: 1;
  /** `gemm`, `attention`, `layernorm`… or `peak`: the engine's own multiply-add peak, measured in the same process. */
  readonly kernel: string;
  readonly shape: string;
  readonly storage: "f32" | "bf16" | "int8";
  readonly tile?: string;
  /** Of one sample's unpadded work. */
  readonly unit: "GFLOP/s" | "GOP/s" | "GB/s";
  /** Of the fastest sample and of the median one. */
  readonly rate: number;
  readonly median: number;
  readonly count: number;
  /** Of products: rate over the peak. */
  readonly ofPeak?: number;
}

export interface ModelResult extends Setting {
  readonly contender: "janus-wasm" | "onnxruntime-web" | "onnxruntime-node";
  readonly contenderVersion: string;
  readonly variant?: string;
  readonly tile?: string;
  readonly dtype: "fp32" | "bf16" | "int8";
  readonly threads: number;
  /** RMS-relative distance of image_embeds to the recorded float64 rows. */
  readonly distance: number;
  /** Encode and project of one picture, ms. */
  readonly one: Samples;
  /** The same of eight pictures in one call, ms; and, in turn with it, in eight calls. */
  readonly eight?: Samples;
  readonly eightCalls?: Samples;
  readonly loadMs: number;
  readonly peakBytes: number;
}

export interface LoadResult extends Setting {
  /** int8: a packed checkpoint. */
  readonly dtype: "fp32" | "bf16" | "int8";
  readonly threads: number;
  /** Plain reading, by one thread, of the bytes that loading reads, from the page cache: into memory that keeps them, ms; and into one small buffer. */
  readonly read: Samples;
  readonly reread: Samples;
  readonly load: Samples;
  /** Of a process that did nothing but load. */
  readonly peakBytes: number;
  readonly weightBytes: number;
}

export interface ColdStartResult extends Setting {
  /** What `threads: "auto"` made of it. */
  readonly threads: number;
  /** Process start to the first result, ms; and of a Node process that only says that it is there. */
  readonly first: Samples;
  readonly empty: Samples;
}

export interface PhaseResult extends Setting {
  readonly variant: string;
  readonly tile: string;
  readonly dtype: "fp32" | "bf16" | "int8";
  readonly threads: number;
  /** Encode and project of one picture, ms, the fastest run; and its parts, the mean of all workers. */
  readonly ms: number;
  readonly phases: Readonly<Record<string, number>>;
}

/** One run of `npm run bench`. */
export interface Results {
  readonly date: string;
  /** One sample of each: correctness, not figures. */
  readonly quick: boolean;
  /** All of it, with as many samples as a record takes. */
  readonly complete: boolean;
  readonly machine: Machine;
  readonly package: { readonly version: string; readonly commit: string; readonly modified: boolean };
  readonly kernels: readonly KernelResult[];
  readonly model: readonly ModelResult[];
  readonly load: readonly LoadResult[];
  readonly coldStart: readonly ColdStartResult[];
  readonly phases: readonly PhaseResult[];
}

/** Whether two contenders are held against each other: products of floats, of whatever weights, or of 8 bits. */
export function sameKind(a: Pick<ModelResult, "dtype">, b: Pick<ModelResult, "dtype">): boolean {
  return (a.dtype === "int8") === (b.dtype === "int8");
}

/** Results that are part of the repository, and below it those that are not. */
export const RESULTS = fileURLToPath(new URL("../../../bench/results/", import.meta.url));
export const LOCAL_RESULTS = join(RESULTS, "local/");

export function samples(ms: readonly number[]): Samples {
  const sorted = [...ms].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
  return { min: sorted[0] ?? Number.NaN, median, count: sorted.length };
}

/** `2026-11-25T14-05-09-amd-epyc-zen-4.json`: sorted by name is sorted by time. */
export function fileName({ date, machine }: Results): string {
  const time = date.slice(0, 19).replaceAll(":", "-");
  const cpu = `${machine.cpu} ${machine.microarchitecture}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return `${time}-${cpu.replace(/-$/, "")}.json`;
}

export function writeResults(folder: string, results: Results): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, fileName(results));
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}

/** The newest results of a folder that are wanted; undefined when it has none. */
export function newestResults(folder: string, wanted: (results: Results) => boolean = () => true): Results | undefined {
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder).filter((name) => /^\d{4}-.*\.json$/.test(name));
  for (const name of names.sort().reverse()) {
    const results: Results = JSON.parse(readFileSync(join(folder, name), "utf8"));
    if (wanted(results)) return results;
  }
  return undefined;
}
