/** One load in a process of its own. */
import { Janus } from "#dist/entry/node/index.js";
import { input, send } from "../child.js";
import { peakMemory } from "./peak-memory.js";

export interface LoadInput {
  readonly checkpoint: string;
  readonly dtype: "auto" | "fp32" | "int8";
  readonly threads: number;
}

export interface LoadOutput {
  readonly bytes: number;
  readonly loadMs: number;
  readonly peakBytes: number;
  readonly weightBytes: number;
}

const { checkpoint, dtype, threads } = input<LoadInput>();
const started = performance.now();
let bytes = 0;
const janus = await Janus.load(checkpoint, {
  dtype,
  threads,
  onProgress: (event) => {
    if (event.status === "progress") bytes = event.loaded;
  },
});
const loadMs = performance.now() - started;
const { weightBytes } = janus.runtime;
await janus.dispose();
send({ bytes, loadMs, peakBytes: peakMemory(), weightBytes } satisfies LoadOutput);
