import { fileURLToPath } from "node:url";
import { start } from "../child.js";
import type { NodeEngine } from "../engines.js";
import { type ColdStartResult, samples } from "../report/results.js";
import type { ColdStartInput, ColdStartOutput } from "./cold-start-process.js";

const EMBED = new URL("./cold-start-process.js", import.meta.url);
const EMPTY = new URL("./empty-process.js", import.meta.url);
const DEMO = fileURLToPath(new URL("../../../models/demo", import.meta.url));
/** Side of the demo model's pictures. */
const SIZE = 96;

/** Process start to the first result on the demo model with raw pixels, and to the first word of an empty Node, in turn. */
export async function timeColdStart(engine: NodeEngine, count: number): Promise<ColdStartResult> {
  const input: ColdStartInput = { model: DEMO, size: SIZE };
  let threads = 0;
  const first: number[] = [];
  const empty: number[] = [];
  for (let n = 0; n < count; n++) {
    const embedded = await firstMessage<ColdStartOutput>(EMBED, engine.binary, input);
    if (embedded.message.dims[0] !== 1) throw new Error(`cold start: expected one row, got [${embedded.message.dims}]`);
    threads = embedded.message.threads;
    first.push(embedded.ms);
    empty.push((await firstMessage<unknown>(EMPTY, engine.binary, {})).ms);
  }
  const { name, version, v8 } = engine;
  return { engine: name, version, v8, flags: [], threads, first: samples(first), empty: samples(empty) };
}

function firstMessage<T>(program: URL, binary: string, input: unknown): Promise<{ ms: number; message: T }> {
  const started = performance.now();
  const child = start(program, binary, [], [JSON.stringify(input)]);
  return new Promise((resolve, reject) => {
    let first: { ms: number; message: T } | undefined;
    child.on("message", (message: T) => {
      first = { ms: performance.now() - started, message };
    });
    child.on("error", reject);
    // Only when it is gone: the next one must not start beside it.
    child.on("exit", (status) => (first ? resolve(first) : reject(new Error(`cold start: exit status ${status}`))));
  });
}
