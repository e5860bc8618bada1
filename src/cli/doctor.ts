import { type Diagnosis, examine } from "../entry/doctor.js";
import { nodeHost } from "../entry/node/host.js";
import { print } from "../entry/node/terminal.js";
import type { DoctorFlags } from "./commands/doctor.js";

/** Runs `janus doctor`. */
export async function doctor(flags: DoctorFlags): Promise<void> {
  const found = diagnosisJson(await examine(nodeHost(), flags.engineFlags));
  if (flags.json) {
    print(JSON.stringify(found));
    return;
  }
  print(`engine: ${found.engine}`);
  for (const variant of found.variants) print(`  ${variant.ok ? "ok" : "no"}  ${variant.name}: ${variant.why}`);
  for (const [feature, value] of Object.entries(found.features)) print(`  ${feature}: ${value}`);
  print(`  threads: ${found.threads} by default`);
  for (const [variant, { int8, ...floats }] of Object.entries(found.tiles)) {
    print(`  tile of ${variant}: ${floats.tile} (GFLOP/s a thread: ${figures(floats.gflops)})`);
    print(`  tile of ${variant}, int8: ${int8.tile} (GOP/s a thread: ${figures(int8.gflops)})`);
  }
  for (const note of found.notes) print(`  note: ${note}`);
}

function figures(rates: Readonly<Record<string, number>>): string {
  return Object.entries(rates)
    .map(([name, figure]) => `${name} ${figure.toFixed(0)}`)
    .join(", ");
}

/** What `janus doctor --json` prints: flags of the engine are a note. */
export function diagnosisJson({ engineFlags, ...found }: Diagnosis): Omit<Diagnosis, "engineFlags"> {
  const flags = engineFlags.length > 0 ? [`the engine runs with ${engineFlags.join(" ")}`] : [];
  return { ...found, notes: [...found.notes, ...flags] };
}
