import { once } from "../child.js";
import type { NodeEngine } from "../engines.js";
import { type LoadResult, samples } from "../report/results.js";
import type { LoadInput, LoadOutput } from "./load-process.js";
import type { ReadInput, ReadOutput } from "./read-process.js";

const LOAD = new URL("./load-process.js", import.meta.url);
const READ = new URL("./read-process.js", import.meta.url);

/** Reads the checkpoint's bytes and loads it in turn, `count` times, each in a process of its own. A packed one is loaded as it is. */
export async function timeLoad(
  checkpoint: string,
  engine: NodeEngine,
  dtype: "auto" | "fp32" | "int8",
  threads: number,
  count: number,
): Promise<LoadResult> {
  const reads: ReadOutput[] = [];
  const loads: LoadOutput[] = [];
  for (let n = 0; n < count; n++) {
    const read = await once<ReadOutput>(READ, engine.binary, [], { checkpoint } satisfies ReadInput);
    const load = await once<LoadOutput>(LOAD, engine.binary, [], { checkpoint, dtype, threads } satisfies LoadInput);
    if (load.bytes !== read.bytes)
      throw new Error(`loading: expected to read the same ${read.bytes} bytes, it read ${load.bytes}`);
    reads.push(read);
    loads.push(load);
  }
  const { name, version, v8 } = engine;
  return {
    engine: name,
    version,
    v8,
    flags: [],
    dtype: dtype === "auto" ? "bf16" : dtype,
    threads,
    read: samples(reads.map(({ keptMs }) => keptMs)),
    reread: samples(reads.map(({ reusedMs }) => reusedMs)),
    load: samples(loads.map(({ loadMs }) => loadMs)),
    peakBytes: Math.max(...loads.map(({ peakBytes }) => peakBytes)),
    weightBytes: loads[0]?.weightBytes ?? 0,
  };
}
