/**
 * The kernels in a page's worker: the cases of `bench/kernels`, each verified before it is timed. When it has said that it is ready it takes a KernelAsk, and posts every result as it comes, then `done` with
 * all of them, each product with its part of the peak.
 */
import { probeVariant } from "#dist/wasm/probe.js";
import type { Variant } from "#dist/wasm/variants.js";
import { variantBinary } from "../kernels/binary.js";
import { type Case, type KernelOutput, kernelCases, resultOf, withPeak } from "../kernels/cases.js";

export interface KernelAsk {
  /** Milliseconds of a sample at least: clocks of pages are coarse. */
  readonly sampleMs: number;
  readonly samples: number;
  readonly variants: readonly Variant[];
}

export type KernelAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "case"; readonly name: string; readonly done: number; readonly all: number }
  | { readonly kind: "done"; readonly kernels: KernelOutput }
  | { readonly kind: "failed"; readonly why: string };

const scope = globalThis as unknown as {
  postMessage(message: KernelAnswer): void;
  addEventListener(type: "message", listener: (event: { readonly data: KernelAsk }) => void): void;
};
scope.addEventListener("message", ({ data }) => {
  run(data).catch((error: unknown) => scope.postMessage({ kind: "failed", why: String(error) }));
});

// A message that came while the binaries were fetched, when nobody listened yet, would be lost: the page asks after this one.
scope.postMessage({ kind: "ready" });

async function run(ask: KernelAsk): Promise<void> {
  const kernels: KernelOutput[number][] = [];
  for (const variant of ask.variants) {
    const { module, dot8 } = await probeVariant(variant, variantBinary(variant));
    if (!module) continue;
    const cases = await kernelCases(variant, { module, dot8 }, false);
    const timed: KernelOutput[number][] = [];
    for (const [done, named] of cases.entries()) {
      scope.postMessage({ kind: "case", name: named.case.name, done, all: cases.length });
      timed.push(resultOf(variant, named, sample(named.case, ask)));
    }
    kernels.push(...withPeak(timed));
  }
  scope.postMessage({ kind: "done", kernels });
}

/** Seconds of one run: samples of as many runs as take `sampleMs`. */
function sample({ run }: Case, { sampleMs, samples }: KernelAsk): { min: number; median: number; count: number } {
  const timeOf = (runs: number): number => {
    const started = performance.now();
    for (let i = 0; i < runs; i++) run();
    return performance.now() - started;
  };
  let runs = 1;
  for (let ms = timeOf(runs); ms < sampleMs; ms = timeOf(runs))
    runs = Math.ceil(runs * Math.min(8, Math.max(1.2, (1.1 * sampleMs) / ms)));
  const seconds = Array.from({ length: samples }, () => timeOf(runs) / runs / 1000).sort((a, b) => a - b);
  return { min: seconds[0]!, median: seconds[Math.floor(samples / 2)]!, count: samples };
}
