/** Results as lines on a terminal, as they come in. */
import type { compareWithHistory } from "./history.js";
import type { ColdStartResult, KernelResult, LoadResult, ModelResult, PhaseResult, Setting } from "./results.js";
import { sameKind } from "./results.js";

export function kernelLines(results: readonly KernelResult[]): string[] {
  return results.map((r) => {
    const what = [r.variant, r.kernel, r.shape, r.storage, r.tile].filter((word) => word !== undefined).join(" ");
    const share = r.ofPeak === undefined ? "" : `  ${percent(r.ofPeak)} of the peak`;
    return `${setting(r)}: ${what.padEnd(42)} ${r.rate.toFixed(1).padStart(6)} ${r.unit} (median ${r.median.toFixed(1)})${share}`;
  });
}

export function modelLines(results: readonly ModelResult[]): string[] {
  return results.map((r) => {
    const what = `${r.contender} ${r.contenderVersion} ${r.dtype}${r.variant ? ` ${r.variant} ${r.tile}` : ""}`;
    const ratios = results
      .filter((other) => other.contender !== "janus-wasm" && r.contender === "janus-wasm" && sameKind(other, r))
      .map((other) => `, ${(other.one.min / r.one.min).toFixed(2)}x ${other.contender}`);
    const eight =
      r.eight && r.eightCalls
        ? `, 8 in one call ${seconds(r.eight.min / 8)} each, in 8 calls ${seconds(r.eightCalls.min / 8)}`
        : "";
    return `${setting(r)}, ${threads(r.threads)}: ${what}: ${seconds(r.one.min)} (median ${seconds(r.one.median)} of ${r.one.count})${ratios.join("")}${eight}, peak ${megabytes(r.peakBytes)}, distance ${r.distance.toExponential(1)}`;
  });
}

export function loadLines(results: readonly LoadResult[]): string[] {
  return results.map(
    (r) =>
      `${setting(r)}, ${threads(r.threads)}: load ${r.dtype} ${milliseconds(r.load.min)}, reading its bytes into memory ${milliseconds(r.read.min)}: ${(r.load.min / r.read.min).toFixed(2)}x (into one small buffer ${milliseconds(r.reread.min)}); peak ${megabytes(r.peakBytes)} with ${megabytes(r.weightBytes)} of weights`,
  );
}

export function startLines(results: readonly ColdStartResult[]): string[] {
  return results.map(
    (r) =>
      `${setting(r)}, ${threads(r.threads)}: cold start ${milliseconds(r.first.min)}, of an empty Node ${milliseconds(r.empty.min)}: ${milliseconds(r.first.min - r.empty.min)} more`,
  );
}

export function phaseLines(results: readonly PhaseResult[]): string[] {
  return results.flatMap((r) => [
    `${setting(r)}, ${threads(r.threads)}: ${r.dtype} ${r.variant} ${r.tile}, ${milliseconds(r.ms)} by phase`,
    ...Object.entries(r.phases)
      .sort(([, a], [, b]) => b - a)
      .map(([name, ms]) => `  ${name.padEnd(20)} ${milliseconds(ms).padStart(9)} ${percent(ms / r.ms).padStart(7)}`),
  ]);
}

export function comparisonLines({ comparisons, unknown }: ReturnType<typeof compareWithHistory>): string[] {
  return [
    ...unknown.map((kind) => `${kind}: no record yet`),
    ...comparisons.map(({ kind, name, before, now, worse }) => {
      const change = now === undefined ? "not measured" : `${now.toFixed(3)}, ${signed(now / before - 1)}`;
      return `${worse ? "WORSE" : "ok   "} ${kind}: ${name} ${before.toFixed(3)} -> ${change}`;
    }),
  ];
}

function signed(change: number): string {
  return `${change < 0 ? "" : "+"}${percent(change)}`;
}

function setting({ engine, flags }: Setting): string {
  return [engine, ...flags].join(" ");
}

function threads(count: number): string {
  return count === 1 ? "1 thread" : `${count} threads`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
