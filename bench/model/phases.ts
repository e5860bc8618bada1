import type { NodeEngine } from "../engines.js";
import type { PhaseResult } from "../report/results.js";
import { ContenderProcess } from "./contender.js";
import type { FullSize } from "./full-size.js";
import type { JanusOptions } from "./janus-process.js";

const PROGRAM = new URL("./janus-process.js", import.meta.url);

/** Where the time of one picture goes, by kernel: the fastest of `count` runs after a first one, which counts when there are no others. */
export async function timePhases(
  full: FullSize,
  engine: NodeEngine,
  dtype: "auto" | "int8",
  engineFlags: "none" | "auto",
  threads: number,
  count: number,
): Promise<PhaseResult> {
  const options: JanusOptions = { model: full.checkpoint, dtype, threads, engineFlags, phases: true };
  const process = new ContenderProcess(`phases, ${engine.name}, ${threads} threads`, PROGRAM, engine.binary);
  try {
    await process.load(options);
    const warmUp = await process.run({ pixels: full.one, images: 1 });
    const runs = count === 0 ? [warmUp] : [];
    for (let n = 0; n < count; n++) runs.push(await process.run({ pixels: full.one, images: 1 }));
    const { ms, about } = runs.reduce((a, b) => (b.ms < a.ms ? b : a));
    const known = about as { phases: Record<string, number>; variant: string; tile: string; engineFlags: string[] };
    const sum = Object.values(known.phases).reduce((total, part) => total + part, 0);
    const { name, version, v8 } = engine;
    const { variant, tile } = known;
    const phases = { ...known.phases, "copies and messages": ms - sum };
    return {
      engine: name,
      version,
      v8,
      flags: known.engineFlags,
      variant,
      tile,
      dtype: dtype === "auto" ? "bf16" : dtype,
      threads,
      ms,
      phases,
    };
  } finally {
    await process.end();
  }
}
