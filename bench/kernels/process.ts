/**
 * The kernels of one engine under the flags it was started with, on every variant, each verified before it is timed. One thread, the
 * model's own shapes and slices: every product on the tile that loading would choose, one product on every tile. Rates are of
 * unpadded work, in calls of a fraction of a millisecond; products also as a part of the engine's own multiply-add peak, which is
 * measured in the same run, before them and after.
 */
import benny from "benny";
import { nodeHost } from "#dist/entry/node/host.js";
import { tilesOf } from "#dist/entry/variant.js";
import { probeVariant } from "#dist/wasm/probe.js";
import { chooseInt8Tile, chooseTile, TILES } from "#dist/wasm/tiles.js";
import type { Variant } from "#dist/wasm/variants.js";
import { input, send } from "../child.js";
import type { KernelResult, Setting } from "../report/results.js";
import { attentionCase } from "./attention.js";
import { bandwidthCases } from "./bandwidth.js";
import { gemmCase, SHAPES } from "./gemm.js";
import { gemmInt8Case } from "./gemm-int8.js";
import { int8PeakCases, peakCases } from "./peak.js";

export interface KernelInput {
  /** Seconds of a sample at least: short ones fit between the interruptions of a busy machine. */
  readonly minTime: number;
  /** Samples of each case at least, and seconds at most. */
  readonly minSamples: number;
  readonly maxTime: number;
  /** Every tile, not only the one that is chosen. */
  readonly everyTile: boolean;
}

export type KernelOutput = readonly Omit<KernelResult, keyof Setting>[];

/** A case that has verified its answer. */
interface Case {
  readonly name: string;
  /** One of them: operations, or bytes read and written, of one `run`. */
  readonly flop?: number;
  readonly bytes?: number;
  run(): void;
}

interface Named {
  readonly case: Case;
  readonly about: Pick<KernelResult, "kernel" | "shape" | "storage" | "tile">;
}

const options = input<KernelInput>();
const host = nodeHost();
const results: Omit<KernelResult, keyof Setting>[] = [];
for (const variant of ["simd", "relaxed"] satisfies Variant[]) {
  const report = await probeVariant(variant, await host.binary(variant));
  if (!report.module) {
    console.log(`${variant} is not run here: ${report.why}`);
    continue;
  }
  const { tile } = chooseTile(report.module, false, "4x8", () => performance.now());
  const untimed = tilesOf(variant, report.dot8);
  const { tile: tileInt8, levels } = chooseInt8Tile(report.module, false, untimed, () => performance.now());
  const peaks = [
    ...(await peakCases(variant, !options.everyTile)).map((peak) => peakOf(peak, "f32")),
    ...(await int8PeakCases(variant, !options.everyTile)).map((peak) => peakOf(peak, "int8")),
  ];
  const cases: Named[] = [...peaks];
  for (const shape of SHAPES) {
    for (const storage of ["f32", "bf16"] as const)
      cases.push({
        case: gemmCase(variant, shape, storage, tile),
        about: { kernel: "gemm", shape: shape.name, storage, tile },
      });
    cases.push({
      case: gemmInt8Case(variant, shape, tileInt8, levels),
      about: { kernel: "gemm", shape: shape.name, storage: "int8", tile: tileInt8 },
    });
  }
  for (const other of TILES) {
    if (!options.everyTile && other !== tile) continue;
    if (other !== tile)
      cases.push({
        case: gemmCase(variant, SHAPES[1], "f32", other),
        about: { kernel: "gemm", shape: SHAPES[1].name, storage: "f32", tile: other },
      });
    if (other !== tileInt8)
      cases.push({
        case: gemmInt8Case(variant, SHAPES[1], other, levels),
        about: { kernel: "gemm", shape: SHAPES[1].name, storage: "int8", tile: other },
      });
    cases.push({
      case: attentionCase(variant, other),
      about: { kernel: "attention", shape: "head", storage: "f32", tile: other },
    });
  }
  for (const { kernel, shape, storage, ...kernelCase } of bandwidthCases(variant))
    cases.push({ case: kernelCase, about: { kernel, shape, storage } });
  const again = peaks.map(({ case: peak, about }): Named => ({ case: { ...peak, name: `${peak.name} again` }, about }));
  results.push(...(await time(variant, [...cases, ...again])));
}
send(results);

function peakOf(peak: Case, storage: "f32" | "int8"): Named {
  return { case: peak, about: { kernel: "peak", shape: "registers", storage } };
}

async function time(variant: Variant, cases: readonly Named[]): Promise<KernelOutput> {
  const timed: Omit<KernelResult, keyof Setting>[] = [];
  const { minTime, minSamples, maxTime } = options;
  await benny.suite(
    variant,
    benny.configure({ cases: { minTime, minSamples, maxTime } }),
    ...cases.map(({ case: { name, run } }) => benny.add(name, run)),
    benny.complete(({ results }) => {
      for (const { name, details, samples } of results) {
        const found = cases.find((named) => named.case.name === name);
        if (!found) throw new Error(`${name}: timed, but no case of that name`);
        const { flop, bytes = 0 } = found.case;
        const work = (flop ?? bytes) / 1e9;
        timed.push({
          variant,
          threads: 1,
          ...found.about,
          unit: flop === undefined ? "GB/s" : found.about.storage === "int8" ? "GOP/s" : "GFLOP/s",
          rate: work / details.min,
          median: work / details.median,
          count: samples,
        });
      }
    }),
  );
  return withPeak(timed);
}

/** One peak in place of several, for products of floats and of 8 bits each, and every product's part of its own. */
function withPeak(timed: KernelOutput): KernelOutput {
  const isPeak = ({ kernel }: KernelOutput[number]): boolean => kernel === "peak";
  const peaks = (["GFLOP/s", "GOP/s"] as const).map((unit) =>
    timed.filter((result) => isPeak(result) && result.unit === unit).reduce((a, b) => (b.rate > a.rate ? b : a)),
  );
  const rest = timed.filter((result) => !isPeak(result));
  return [
    ...peaks,
    ...rest.map((result) => {
      const peak = peaks.find(({ unit }) => unit === result.unit);
      return peak ? { ...result, ofPeak: result.rate / peak.rate } : result;
    }),
  ];
}
