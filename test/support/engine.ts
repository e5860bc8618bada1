import type { LoadOptions } from "#dist/entry/options.js";

/** Relaxed SIMD is on by default from V8 11.4 on: Node 20 must refuse it unless told otherwise, everything newer must run it. */
export const RELAXED_EXPECTED =
  Number(process.versions.node.split(".")[0]) >= 21 || process.execArgv.includes("--experimental-wasm-relaxed-simd");

/** Every way to run on this engine: variant and threads. The suite fails, rather than shrinks, where one of them does not load. */
export const RUNS: readonly (Required<Pick<LoadOptions, "variant" | "threads">> & { title: string })[] = (
  RELAXED_EXPECTED ? (["simd", "relaxed"] as const) : (["simd"] as const)
).flatMap((variant) => [
  { variant, threads: 1, title: variant },
  { variant, threads: 2, title: `${variant}-threads` },
]);
