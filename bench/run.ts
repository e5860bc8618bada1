/**
 * `npm run bench`: the products of a Janus-Pro block on every variant of this engine, each verified before it is timed. One thread, the model's
 * own shapes and slices: every shape on the tile that loading would choose, one shape on every tile. Figures are GFLOP/s of unpadded
 * work, of the fastest and of the median sample, and the fastest as a part of the engine's own multiply-add peak, measured in the same run;
 * compare them within one run only. Engine flags go to node: `node --experimental-wasm-revectorize build/bench/run.js`.
 */
import { cpus } from "node:os";
import benny from "benny";
import { nodeHost } from "#dist/entry/node/host.js";
import { probeVariant } from "#dist/wasm/probe.js";
import { chooseTile, TILES } from "#dist/wasm/tiles.js";
import type { Variant } from "#dist/wasm/variants.js";
import { attentionCase } from "./kernels/attention.js";
import { gemmCase, SHAPES } from "./kernels/gemm.js";
import { peakCases } from "./kernels/peak.js";

interface Case {
  readonly name: string;
  readonly flop: number;
  run(): void;
}

const host = nodeHost();
console.log([cpus()[0]?.model, host.engine, ...host.engineFlags()].join(", "));
for (const variant of ["simd", "relaxed"] satisfies Variant[]) {
  const report = await probeVariant(variant, await host.binary(variant));
  if (!report.module) {
    console.log(`${variant} is not run here: ${report.why}`);
    continue;
  }
  const { tile } = chooseTile(report.module, false, "4x8", () => performance.now());
  console.log(`${variant}: tile ${tile}`);
  const peaks = await peakCases(variant);
  const cases: Case[] = [...peaks];
  for (const shape of SHAPES)
    for (const storage of ["f32", "bf16"] as const) cases.push(gemmCase(variant, shape, storage, tile));
  for (const other of TILES) {
    if (other !== tile) cases.push(gemmCase(variant, SHAPES[1], "f32", other));
    cases.push(attentionCase(variant, other));
  }
  await time(cases, peaks);
}

/** Runs the cases and prints them, the peaks first. */
async function time(cases: readonly Case[], peaks: readonly Case[]): Promise<void> {
  await benny.suite(
    "kernels",
    benny.configure({ cases: { minSamples: 10, maxTime: 1 } }),
    ...cases.map((c) => benny.add(c.name, c.run)),
    benny.complete((summary) => {
      const rates = summary.results.map(({ name, details }) => {
        const flop = cases.find((c) => c.name === name)?.flop ?? 0;
        return { name, fastest: flop / details.min / 1e9, median: flop / details.median / 1e9 };
      });
      const names = new Set(peaks.map((c) => c.name));
      const peak = Math.max(...rates.filter(({ name }) => names.has(name)).map(({ fastest }) => fastest));
      for (const { name, fastest, median } of rates) {
        const share = ((100 * fastest) / peak).toFixed(0).padStart(4);
        console.log(`${name.padEnd(40)} ${figure(fastest)} GFLOP/s (median ${figure(median)}) ${share} % of the peak`);
      }
    }),
  );
}

function figure(rate: number): string {
  return rate.toFixed(1).padStart(6);
}
