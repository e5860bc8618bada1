import { tilesOf } from "#dist/entry/variant.js";
import type { VariantReport } from "#dist/wasm/probe.js";
import { chooseInt8Tile, chooseTile, TILES } from "#dist/wasm/tiles.js";
import type { Variant } from "#dist/wasm/variants.js";
import type { KernelResult, Setting } from "../report/results.js";
import { attentionCase } from "./attention.js";
import { bandwidthCases } from "./bandwidth.js";
import { gemmCase, SHAPES } from "./gemm.js";
import { gemmInt8Case } from "./gemm-int8.js";
import { int8PeakCases, peakCases } from "./peak.js";

export type KernelOutput = readonly Omit<KernelResult, keyof Setting>[];

/** A case that has verified its answer. */
export interface Case {
  readonly name: string;
  /** One of them: operations, or bytes read and written, of one `run`. */
  readonly flop?: number;
  readonly bytes?: number;
  run(): void;
}

export interface Named {
  readonly case: Case;
  readonly about: Pick<KernelResult, "kernel" | "shape" | "storage" | "tile">;
}

/** The cases of a variant that runs here: its peaks, before all others and after; every product on the tile that loading would choose; `everyTile`: one product on every tile. */
export async function kernelCases(
  variant: Variant,
  { module, dot8 }: Pick<VariantReport, "dot8"> & { readonly module: WebAssembly.Module },
  everyTile: boolean,
): Promise<Named[]> {
  const { tile } = chooseTile(module, false, "4x8", () => performance.now());
  const untimed = tilesOf(variant, dot8);
  const { tile: tileInt8, levels } = chooseInt8Tile(module, false, untimed, () => performance.now());
  const peaks = [
    ...(await peakCases(variant, !everyTile)).map((peak) => peakOf(peak, "f32")),
    ...(await int8PeakCases(variant, !everyTile)).map((peak) => peakOf(peak, "int8")),
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
    if (!everyTile && other !== tile) continue;
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
  return [...cases, ...again];
}

/** A result of samples of a case, in seconds: of the fastest and of the median. */
export function resultOf(
  variant: Variant,
  { case: { flop, bytes = 0 }, about }: Named,
  { min, median, count }: { readonly min: number; readonly median: number; readonly count: number },
): KernelOutput[number] {
  const work = (flop ?? bytes) / 1e9;
  return {
    variant,
    threads: 1,
    ...about,
    unit: flop === undefined ? "GB/s" : about.storage === "int8" ? "GOP/s" : "GFLOP/s",
    rate: work / min,
    median: work / median,
    count,
  };
}

function peakOf(peak: Case, storage: "f32" | "int8"): Named {
  return { case: peak, about: { kernel: "peak", shape: "registers", storage } };
}

/** One peak in place of several, for products of floats and of 8 bits each, and every product's part of its own. */
export function withPeak(timed: KernelOutput): KernelOutput {
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
