import type { VariantReport } from "../wasm/probe.js";
import { defaultFamily } from "../wasm/probe.js";
import type { TileChoice } from "../wasm/tiles.js";
import { chooseInt8Tile, chooseTile } from "../wasm/tiles.js";
import type { Variant } from "../wasm/variants.js";
import { isThreaded, VARIANTS, variantOf } from "../wasm/variants.js";
import { takeEngineFlags } from "./engine-flags.js";
import type { Host } from "./host.js";
import { probe, tilesOf } from "./variant.js";

/** What `janus doctor --json` prints. */
export interface Diagnosis {
  readonly engine: string;
  readonly engineFlags: readonly string[];
  readonly variants: readonly { readonly name: Variant; readonly ok: boolean; readonly why: string }[];
  readonly features: { readonly fma: boolean; readonly dot8: string; readonly sharedMemory: boolean };
  readonly threads: number;
  /** By variant: the tile that a large model gets, and GFLOP/s of one thread for each; the same of products of 8 bits, in GOP/s, with the way they are made before the tile. */
  readonly tiles: Readonly<Record<string, TimedTile & { readonly int8: TimedTile }>>;
  readonly notes: readonly string[];
}

interface TimedTile {
  readonly tile: string;
  readonly gflops: TileChoice["gflops"];
}

interface TimedTiles {
  readonly name: Variant;
  readonly float: TileChoice;
  readonly int8: TileChoice;
}

/** Tries every variant on this host and times its tiles, after the engine's flags were tried, as loading a large model with `engineFlags` does. */
export async function examine(host: Host, engineFlags: "auto" | "none" = "none"): Promise<Diagnosis> {
  const flagNotes = engineFlags === "auto" ? await takeEngineFlags(host, "auto", host.availableThreads()) : [];
  const reports = await Promise.all(VARIANTS.map((variant) => probe(host, variant)));
  const threads = host.availableThreads();
  const taken = variantOf(defaultFamily(reports, threads > 1), threads > 1);
  const running = reports.filter((report) => report.ok);
  const timed = running.flatMap(timeTiles);
  const relaxed = running.find((report) => report.name === "relaxed");
  return {
    engine: host.engine,
    engineFlags: host.engineFlags(),
    variants: reports.map(({ name, ok, why }) => ({ name, ok, why })),
    features: {
      fma: relaxed?.fma ?? false,
      dot8: relaxed?.dot8 ?? "absent",
      sharedMemory: running.some((report) => report.name === "simd-threads"),
    },
    threads,
    tiles: Object.fromEntries(timed.map(({ name, float, int8 }) => [name, { ...shown(float), int8: shown(int8) }])),
    notes: [
      `${taken} is taken by default`,
      ...flagNotes,
      ...timed.flatMap(({ float, int8 }) => [...float.notes, ...int8.notes]),
    ],
  };
}

function timeTiles({ name, module, dot8 }: VariantReport): TimedTiles[] {
  if (!module) return [];
  const untimed = tilesOf(name, dot8);
  const now = (): number => performance.now();
  const float = chooseTile(module, isThreaded(name), untimed.float, now);
  return [{ name, float, int8: chooseInt8Tile(module, isThreaded(name), untimed, now) }];
}

function shown({ label, gflops }: TileChoice): TimedTile {
  return { tile: label, gflops };
}
