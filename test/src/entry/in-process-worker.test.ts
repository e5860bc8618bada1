/** A compute worker without a thread: the bytes of one with, messages in order and never at once, and nothing left of it in the end. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Host } from "#dist/entry/host.js";
import { startInProcessWorker } from "#dist/entry/in-process-worker.js";
import { type EmbedResult, JanusModel } from "#dist/entry/janus.js";
import { nodeHost } from "#dist/entry/node/host.js";
import type { LoadOptions } from "#dist/entry/options.js";
import type { FromWorker, ToWorker } from "#dist/threads/protocol.js";
import { golden } from "../../support/paths.js";
import { refused } from "../../support/refusal.js";
import { bytesOf } from "../../support/tensors.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/in-process-worker");

const MODEL = golden("checkpoints/tiny-orig-safetensors");
const PICTURE = { width: 30, height: 20, data: Uint8Array.from({ length: 1800 }, (_, i) => (i * 7) % 256) };
const REQUEST = { question: "What is it?", images: [PICTURE, PICTURE] };

/** Node without threads for compute. */
const inProcess = (): Host => ({
  ...nodeHost(),
  sharesMemory: false,
  availableThreads: () => 1,
  oneThread: "there are no others",
  startWorker: startInProcessWorker,
});

async function embedded(host: Host, options: LoadOptions): Promise<EmbedResult> {
  await using model = await JanusModel.load(host, MODEL, options);
  assert.is(model.runtime.threads, 1);
  return await model.embed(REQUEST, { stages: true });
}

for (const dtype of ["auto", "int8"] as const) {
  test(`${dtype}: every stage as from a thread`, async () => {
    const [here, there] = [
      await embedded(inProcess(), { dtype, variant: "simd" }),
      await embedded(nodeHost(), { dtype, variant: "simd", threads: 1 }),
    ];
    assert.ok(bytesOf(here.inputsEmbeds).equals(bytesOf(there.inputsEmbeds)), "inputs_embeds");
    const stages = Object.entries(here.stages ?? {});
    assert.ok(stages.length > 5);
    for (const [name, stage] of stages) assert.ok(bytesOf(stage).equals(bytesOf(there.stages?.[name])), name);
  });
}

test("threads that are asked for by number are refused, where there are none", async () => {
  await refused(
    JanusModel.load(inProcess(), MODEL, { threads: 2 }),
    "E_UNSUPPORTED",
    /threads must be 1 or auto here, got 2: there are no others/,
  );
  await (await JanusModel.load(inProcess(), MODEL, { threads: 1 })).dispose();
});

test("an abort that comes while a program waits for its turn is heard, and the model goes on", async () => {
  await using model = await JanusModel.load(inProcess(), MODEL);
  const pixels = await model.preprocess(PICTURE);
  const controller = new AbortController();
  const call = rejection(model.encode(pixels, { signal: controller.signal }));
  queueMicrotask(() => controller.abort("enough"));
  assert.is(await call, "enough");
  assert.is((await model.embed(REQUEST)).inputsEmbeds.dims[0], 1);
});

/** A worker, what it answers, and how often it has. */
function started() {
  const worker = startInProcessWorker();
  const answers: FromWorker[] = [];
  worker.onMessage((message) => answers.push(message));
  return { worker, answers };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const run = (program: string): ToWorker => ({ kind: "run", program, input: undefined, own: undefined });

test("messages are delivered in order, none of them at once, and what fails is an answer", async () => {
  const { worker, answers } = started();
  worker.post({ kind: "start", index: 0, count: 1, setup: undefined }, []);
  for (const program of ["first", "second"]) worker.post(run(program), []);
  assert.is(answers.length, 0);
  await Promise.resolve();
  assert.is(answers.length, 0, "nor in a microtask");
  await turn();
  const messages = answers.map((answer) => (answer.kind === "failed" ? answer.error.message : answer.kind));
  assert.is(messages.length, 3);
  assert.match(messages[0] ?? "", /a worker failed: .*undefined/);
  assert.match(messages[1] ?? "", /no program first here/);
  assert.match(messages[2] ?? "", /no program second here/);
  assert.ok(answers.every((answer) => answer.kind === "failed" && answer.fatal));
});

test("after terminate() nothing is delivered or answered", async () => {
  const { worker, answers } = started();
  worker.post(run("waiting"), []);
  await worker.terminate();
  worker.post(run("late"), []);
  await turn();
  assert.equal(answers, []);
  await worker.terminate();
});

test("the memory of a disposed model goes, though its host is kept", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const memories: WeakRef<WebAssembly.Memory>[] = [];
  const { Memory } = WebAssembly;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(new WeakRef(this));
    }
  };
  const host = inProcess();
  try {
    const model = await JanusModel.load(host, MODEL);
    await model.embed(REQUEST);
    await model.dispose();
  } finally {
    WebAssembly.Memory = Memory;
  }
  assert.ok(memories.length > 0);
  for (let round = 0; round < 20 && memories.some((memory) => memory.deref()); round++) {
    await turn();
    collect();
  }
  assert.equal(
    memories.map((memory) => memory.deref()),
    memories.map(() => undefined),
  );
  assert.is(host.sharesMemory, false);
});

test.run();
