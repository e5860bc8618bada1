import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ARENA_BASE, NULL, type Pointer } from "#dist/wasm/abi.js";
import { instantiateKernels } from "#dist/wasm/instantiate.js";
import { isThreaded } from "#dist/wasm/variants.js";
import { requiredVariants, variantBytes } from "../../support/kernels.js";
import type { BarrierResult, BarrierTask } from "./barrier-worker.js";

const test = suite("barrier");

const CONTROL = ARENA_BASE as Pointer;
const SLOTS = ARENA_BASE + 64;
const HANG_MS = 10_000;

function sharedMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
}

function controlOf(memory: WebAssembly.Memory): Int32Array {
  return new Int32Array(memory.buffer, CONTROL, 3);
}

/** What the contract asks of a host that stops a program. */
function stop(memory: WebAssembly.Memory, reason: number): void {
  const control = controlOf(memory);
  Atomics.store(control, 2, reason);
  Atomics.add(control, 1, 1);
  Atomics.notify(control, 1);
}

interface Program {
  started: Promise<unknown>;
  results: Promise<BarrierResult[]>;
}

/** `present` workers of `workers`; a program that hangs is ended and fails. */
function run(task: Omit<BarrierTask, "self" | "slots" | "control">, present = task.workers): Program {
  const starts: Promise<void>[] = [];
  const results = Array.from({ length: present }, (_, self) => {
    const worker = new Worker(new URL("./barrier-worker.js", import.meta.url), {
      workerData: { ...task, control: CONTROL, slots: SLOTS, self } satisfies BarrierTask,
    });
    starts.push(new Promise((resolve) => worker.once("message", () => resolve())));
    return new Promise<BarrierResult>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`worker ${self} hangs`));
        void worker.terminate();
      }, HANG_MS);
      worker.on("message", (message: "started" | BarrierResult) => {
        if (message === "started") return;
        clearTimeout(timer);
        resolve(message);
      });
      worker.on("error", reject);
    });
  });
  return { started: Promise.all(starts), results: Promise.all(results) };
}

for (const variant of requiredVariants()) {
  const module = new WebAssembly.Module(variantBytes(variant));

  if (!isThreaded(variant)) {
    test(`returns the stop word at once [${variant}]`, () => {
      const memory = new WebAssembly.Memory({ initial: 2 });
      const kernels = instantiateKernels(module, memory);
      assert.is(kernels.barrier(CONTROL, 1), 0);
      controlOf(memory).set([0, 0, 7]);
      assert.is(kernels.barrier(CONTROL, 1), 7);
      assert.is(kernels.barrier(NULL, 1), 0);
      assert.equal([...controlOf(memory)], [0, 0, 7]);
    });
    continue;
  }

  test(`one worker alone passes at once [${variant}]`, async () => {
    const memory = sharedMemory();
    const results = await run({ module, memory, workers: 1, rounds: 3 }).results;
    assert.equal(results, [{ rounds: 3, wrong: 0, stop: 0 }]);
    assert.equal([...controlOf(memory)], [0, 3, 0]);
  });

  test(`who comes after a stop returns at once [${variant}]`, async () => {
    const memory = sharedMemory();
    stop(memory, 6);
    const results = await run({ module, memory, workers: 2, rounds: 1 }, 1).results;
    assert.equal(results, [{ rounds: 0, wrong: 0, stop: 6 }]);
  });

  for (const workers of [2, 3]) {
    test(`${workers} workers, five thousand rounds, nobody ahead or behind [${variant}]`, async () => {
      const rounds = 5000;
      const memory = sharedMemory();
      const results = await run({ module, memory, workers, rounds }).results;
      for (const result of results) assert.equal(result, { rounds, wrong: 0, stop: 0 });
      assert.equal([...controlOf(memory)], [0, rounds, 0]);
    });
  }

  test(`a stop wakes those who wait for one that never comes [${variant}]`, async () => {
    const memory = sharedMemory();
    const program = run({ module, memory, workers: 3, rounds: 1 }, 2);
    await program.started;
    // long enough for both to have gone from spinning to sleeping
    while (Atomics.load(controlOf(memory), 0) < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop(memory, 9);
    for (const result of await program.results) assert.equal(result, { rounds: 0, wrong: 0, stop: 9 });
  });

  test(`a stop at any moment ends every worker [${variant}]`, async () => {
    for (let attempt = 0; attempt < 12; attempt++) {
      const memory = sharedMemory();
      const program = run({ module, memory, workers: 2, rounds: Number.POSITIVE_INFINITY });
      await program.started;
      const until = performance.now() + attempt / 4;
      while (performance.now() < until);
      stop(memory, attempt + 1);
      for (const result of await program.results) {
        assert.is(result.stop, attempt + 1);
        assert.is(result.wrong, 0);
      }
    }
  });
}

test.run();
