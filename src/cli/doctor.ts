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
  for (const [variant, { tile, gflops }] of Object.entries(found.tiles)) {
    const figures = Object.entries(gflops).map(([name, figure]) => `${name} ${figure.toFixed(0)}`);
    print(`  tile of ${variant}: ${tile} (GFLOP/s a thread: ${figures.join(", ")})`);
  }
  for (const note of found.notes) print(`  note: ${note}`);
}

/** What `janus doctor --json` prints: flags of the engine are a note. */
export function diagnosisJson({ engineFlags, ...found }: Diagnosis): Omit<Diagnosis, "engineFlags"> {
  const flags = engineFlags.length > 0 ? [`the engine runs with ${engineFlags.join(" ")}`] : [];
  return { ...found, notes: [...found.notes, ...flags] };
}
