import { once } from "../child.js";
import type { NodeEngine } from "../engines.js";
import { type LoadResult, samples } from "../report/results.js";
import type { LoadInput, LoadOutput } from "./load-process.js";

const PROGRAM = new URL("./load-process.js", import.meta.url);

/** Loads the checkpoint `count` times, each in a process of its own. */
export async function timeLoad(
  checkpoint: string,
  engine: NodeEngine,
  dtype: "auto" | "fp32",
  threads: number,
  count: number,
): Promise<LoadResult> {
  const runs: LoadOutput[] = [];
  for (let n = 0; n < count; n++) {
    const input: LoadInput = { checkpoint, dtype, threads };
    runs.push(await once<LoadOutput>(PROGRAM, engine.binary, [], input));
  }
  const { name, version, v8 } = engine;
  return {
    engine: name,
    version,
    v8,
    flags: [],
    dtype: dtype === "auto" ? "bf16" : "fp32",
    threads,
    read: samples(runs.map(({ readMs }) => readMs)),
    load: samples(runs.map(({ loadMs }) => loadMs)),
    peakBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes)),
    weightBytes: runs[0]?.weightBytes ?? 0,
  };
}
