import { JanusError } from "../errors.js";
import type { LevelForm } from "../wasm/abi.js";
import { LEVELS } from "../wasm/abi.js";
import type { Dot8, VariantReport } from "../wasm/probe.js";
import { defaultFamily, probeVariant } from "../wasm/probe.js";
import type { Tiles } from "../wasm/tiles.js";
import type { Variant, VariantFamily } from "../wasm/variants.js";
import { isRelaxed, variantOf } from "../wasm/variants.js";
import type { Host } from "./host.js";

/** A binary chosen and compiled. */
export interface ChosenVariant {
  readonly variant: Variant;
  readonly module: WebAssembly.Module;
  readonly tiles: Tiles;
  readonly fma: boolean;
  readonly dot8: Dot8;
  /** Why it is not the fastest there is, when it is not. */
  readonly notes: readonly string[];
}

/**
 * The tiles to take untimed (assembly/tiles/family.ts). Of floats 12 accumulators where a multiply-add is one instruction, 8 where it needs a temporary; of 8 bits
 * what is fastest on Zen 4 without flags (bench/lab/2026-11-25-int8.md).
 */
export function tilesOf(variant: Variant, dot8: Dot8): Tiles {
  return { float: isRelaxed(variant) ? "6x8" : "4x8", int8: "6x8", levels: levelsFor(dot8) };
}

/** Bytes where the fused dot is exact, as it takes them; i16 for 16-bit dots elsewhere. */
function levelsFor(dot8: Dot8): LevelForm {
  return dot8 === "unsigned" || dot8 === "signed" ? LEVELS[dot8] : LEVELS.wide;
}

/** Probes one variant of this host. */
export async function probe(host: Host, variant: Variant): Promise<VariantReport> {
  return probeVariant(variant, await host.binary(variant));
}

/**
 * The variant to run with this many threads, or with one that shares its memory with the caller. Asked for by name it is taken or refused (E_UNSUPPORTED, a usage error), never replaced;
 * `"auto"` takes relaxed SIMD where it runs and fuses, and says so in the notes where it does not.
 */
export async function chooseVariant(
  host: Host,
  asked: "auto" | VariantFamily,
  threads: number,
  threaded = threads > 1,
): Promise<ChosenVariant> {
  const notes: string[] = [];
  let family = asked;
  let report: VariantReport | undefined;
  if (family === "auto") {
    report = await probe(host, variantOf("relaxed", threaded));
    family = defaultFamily([report], threaded);
    if (family === "simd") notes.push(`plain SIMD: ${report.why}`);
  }
  const variant = variantOf(family, threaded);
  if (report?.name !== variant) report = await probe(host, variant);
  if (!report.ok || !report.module) {
    throw new JanusError(
      "E_UNSUPPORTED",
      `loading: variant ${variant} cannot run on ${host.engine}: ${report.why}; use another variant`,
      {
        origin: "usage",
      },
    );
  }
  const { module, fma, dot8 } = report;
  return { variant, module, tiles: tilesOf(variant, dot8), fma, dot8, notes };
}
