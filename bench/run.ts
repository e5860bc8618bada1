/**
 * `npm run bench`: the kernels on every variant of this engine, each verified before it is timed. One thread, the model's own shapes and
 * slices. Figures are GFLOP/s of unpadded work, median of the samples; compare them within one run only.
 */
import { cpus } from "node:os";
import benny from "benny";
import { nodeHost } from "#dist/entry/node/host.js";
import type { TileName } from "#dist/wasm/abi.js";
import { TILE } from "#dist/wasm/abi.js";
import { probeVariant } from "#dist/wasm/probe.js";
import type { Variant } from "#dist/wasm/variants.js";
import type { GemmCase } from "./kernels/gemm.js";
import { gemmCase, SHAPES } from "./kernels/gemm.js";

const host = nodeHost();
const found: GemmCase[] = [];
for (const variant of ["simd", "relaxed"] satisfies Variant[]) {
  const report = await probeVariant(variant, await host.binary(variant));
  if (!report.ok) {
    console.log(`${variant} is not run here: ${report.why}`);
    continue;
  }
  for (const shape of SHAPES)
    for (const storage of ["f32", "bf16"] as const)
      for (const tile of Object.keys(TILE) as TileName[]) found.push(gemmCase(variant, shape, storage, tile));
}

console.log(`${cpus()[0]?.model}, ${host.engine}`);
await benny.suite(
  "gemm",
  benny.configure({ cases: { minSamples: 10, maxTime: 1 }, minDisplayPrecision: 3 }),
  ...found.map((c) => benny.add(c.name, c.run)),
  benny.complete((summary) => {
    for (const result of summary.results) {
      const flop = found.find((c) => c.name === result.name)?.flop ?? 0;
      const median = flop / result.details.median / 1e9;
      const spread = (100 * result.details.relativeMarginOfError) / 100;
      console.log(`${result.name.padEnd(40)} ${median.toFixed(1).padStart(7)} GFLOP/s ±${spread.toFixed(1)} %`);
    }
  }),
);
