/**
 * The kernels of one engine under the flags it was started with, on every variant, each verified before it is timed. One thread, the
 * model's own shapes and slices: every product on the tile that loading would choose, one product on every tile. Rates are of
 * unpadded work, in calls of a fraction of a millisecond; products also as a part of the engine's own multiply-add peak, which is
 * measured in the same run, before them and after.
 */
import benny from "benny";
import { nodeHost } from "#dist/entry/node/host.js";
import { probeVariant } from "#dist/wasm/probe.js";
import type { Variant } from "#dist/wasm/variants.js";
import { input, send } from "../child.js";
import { type KernelOutput, kernelCases, type Named, resultOf, withPeak } from "./cases.js";

export interface KernelInput {
  /** Seconds of a sample at least: short ones fit between the interruptions of a busy machine. */
  readonly minTime: number;
  /** Samples of each case at least, and seconds at most. */
  readonly minSamples: number;
  readonly maxTime: number;
  /** Every tile, not only the one that is chosen. */
  readonly everyTile: boolean;
}

const options = input<KernelInput>();
const host = nodeHost();
const results: KernelOutput[number][] = [];
for (const variant of ["simd", "relaxed"] satisfies Variant[]) {
  const { module, dot8, why } = await probeVariant(variant, await host.binary(variant));
  if (!module) {
    console.log(`${variant} is not run here: ${why}`);
    continue;
  }
  results.push(...(await time(variant, await kernelCases(variant, { module, dot8 }, options.everyTile))));
}
send(results);

async function time(variant: Variant, cases: readonly Named[]): Promise<KernelOutput> {
  const timed: KernelOutput[number][] = [];
  const { minTime, minSamples, maxTime } = options;
  await benny.suite(
    variant,
    benny.configure({ cases: { minTime, minSamples, maxTime } }),
    ...cases.map(({ case: { name, run } }) => benny.add(name, run)),
    benny.complete(({ results }) => {
      for (const { name, details, samples } of results) {
        const found = cases.find((named) => named.case.name === name);
        if (!found) throw new Error(`${name}: timed, but no case of that name`);
        timed.push(resultOf(variant, found, { min: details.min, median: details.median, count: samples }));
      }
    }),
  );
  return withPeak(timed);
}
