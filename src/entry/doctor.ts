import { defaultFamily } from "../wasm/probe.js";
import type { Variant } from "../wasm/variants.js";
import { VARIANTS, variantOf } from "../wasm/variants.js";
import type { Host } from "./host.js";
import { probe, tileOf } from "./variant.js";

/** What `janus doctor --json` prints. */
export interface Diagnosis {
  readonly engine: string;
  readonly engineFlags: readonly string[];
  readonly variants: readonly { readonly name: Variant; readonly ok: boolean; readonly why: string }[];
  readonly features: { readonly fma: boolean; readonly dot8: string; readonly sharedMemory: boolean };
  readonly threads: number;
  readonly tiles: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

/** Tries every variant on this host. */
export async function examine(host: Host): Promise<Diagnosis> {
  const reports = await Promise.all(VARIANTS.map((variant) => probe(host, variant)));
  const threads = host.availableThreads();
  const taken = variantOf(defaultFamily(reports, threads > 1), threads > 1);
  const running = reports.filter((report) => report.ok);
  const relaxed = running.find((report) => report.name === "relaxed");
  return {
    engine: host.engine,
    engineFlags: host.engineFlags,
    variants: reports.map(({ name, ok, why }) => ({ name, ok, why })),
    features: {
      fma: relaxed?.fma ?? false,
      dot8: relaxed?.dot8 ?? "absent",
      sharedMemory: running.some((report) => report.name === "simd-threads"),
    },
    threads,
    tiles: Object.fromEntries(running.map(({ name }) => [name, tileOf(name)])),
    notes: [`${taken} is taken by default`],
  };
}
