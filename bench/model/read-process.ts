/** Reads the bytes that loading reads, from the page cache: into memory that keeps them, as loading must, and again into one small buffer. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { withSafetensors } from "#dist/entry/node/safetensors-file.js";
import { input, send } from "../child.js";

export interface ReadInput {
  readonly checkpoint: string;
}

export interface ReadOutput {
  readonly bytes: number;
  /** Every page of the target is new to the process: making pages takes the kernel longer than copying into them. */
  readonly keptMs: number;
  /** No page is new: as fast as one thread can copy out of the page cache. Nothing is there afterwards. */
  readonly reusedMs: number;
}

const PIECE_BYTES = 16 * 2 ** 20;

const path = join(input<ReadInput>().checkpoint, "model.safetensors");
const spans = await withSafetensors(path, undefined, async ({ tensors }) =>
  [...tensors.values()].filter(({ name }) => !/^(language_model|embed_tokens)\./.test(name)),
);
const bytes = spans.reduce((sum, { begin, end }) => sum + end - begin, 0);
const small = new Uint8Array(PIECE_BYTES);
const readReused = (): Promise<number> => timeRead((_, length) => small.subarray(0, length));
await readReused(); // What the page cache may have dropped comes back.
const reusedMs = await readReused();
const keptMs = await timeRead(keeping());
send({ bytes, keptMs, reusedMs } satisfies ReadOutput);

function keeping(): (done: number, length: number) => Uint8Array {
  let kept: Uint8Array | undefined;
  return (done, length) => {
    kept ??= new Uint8Array(bytes); // Within the time: it is part of reading.
    return kept.subarray(done, done + length);
  };
}

async function timeRead(target: (done: number, length: number) => Uint8Array): Promise<number> {
  const started = performance.now();
  const file = await open(path);
  let done = 0;
  for (const { begin, end } of spans) {
    for (let at = begin; at < end; ) {
      const length = Math.min(PIECE_BYTES, end - at);
      const { bytesRead } = await file.read(target(done, length), 0, length, at);
      if (bytesRead === 0) throw new Error(`${path}: ended early`);
      at += bytesRead;
      done += bytesRead;
    }
  }
  await file.close();
  return performance.now() - started;
}
