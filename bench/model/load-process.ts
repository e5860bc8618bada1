/** One load in a process of its own, after a plain reading of the same bytes: what the page cache holds is the same for both. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Janus } from "#dist/entry/node/index.js";
import { withSafetensors } from "#dist/entry/node/safetensors-file.js";
import { input, send } from "../child.js";
import { peakMemory } from "./peak-memory.js";

export interface LoadInput {
  readonly checkpoint: string;
  readonly dtype: "auto" | "fp32";
  readonly threads: number;
}

export interface LoadOutput {
  readonly readMs: number;
  readonly loadMs: number;
  readonly peakBytes: number;
  readonly weightBytes: number;
}

/** Into one buffer, again and again: no page is new but the first time, so this is as fast as a file can be read by one thread. */
const PIECE_BYTES = 16 * 2 ** 20;

const { checkpoint, dtype, threads } = input<LoadInput>();
const path = join(checkpoint, "model.safetensors");
const spans = await withSafetensors(path, undefined, async ({ tensors }) =>
  [...tensors.values()].filter(({ name }) => !name.startsWith("language_model.")),
);
await readAll();
let started = performance.now();
const read = await readAll();
const readMs = performance.now() - started;
started = performance.now();
let loaded = 0;
const janus = await Janus.load(checkpoint, {
  dtype,
  threads,
  onProgress: (event) => {
    if (event.status === "progress") loaded = event.loaded;
  },
});
const loadMs = performance.now() - started;
if (loaded !== read) throw new Error(`loading: expected to read the same ${read} bytes, it read ${loaded}`);
const { weightBytes } = janus.runtime;
await janus.dispose();
send({ readMs, loadMs, peakBytes: peakMemory(), weightBytes } satisfies LoadOutput);

async function readAll(): Promise<number> {
  const file = await open(path);
  const buffer = new Uint8Array(PIECE_BYTES);
  let total = 0;
  for (const { begin, end } of spans) {
    for (let at = begin; at < end; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(PIECE_BYTES, end - at), at);
      if (bytesRead === 0) throw new Error(`${path}: ended early`);
      at += bytesRead;
      total += bytesRead;
    }
  }
  await file.close();
  return total;
}
