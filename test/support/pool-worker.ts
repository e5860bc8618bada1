/** A worker thread for the tests of src/threads: programs that do every good and bad thing a program can do. */
import { parentPort } from "node:worker_threads";
import { JanusError } from "#dist/errors.js";
import { CONTROL_BYTES } from "#dist/threads/control.js";
import type { FromWorker, ToWorker } from "#dist/threads/protocol.js";
import { type Program, type Reply, serve } from "#dist/threads/serve.js";
import { Team } from "#dist/threads/team.js";
import { ARENA_BASE, type Kernels, type Pointer } from "#dist/wasm/abi.js";
import { instantiateKernels } from "#dist/wasm/instantiate.js";
import { type PoolSetup, WORDS, WORDS_AT } from "./pool-words.js";

/** What the worker `index` alone does, while the others wait for it. */
export interface Fault {
  readonly index: number;
}

const SLOW_MS = 20;

interface Context {
  readonly team: Team;
  readonly kernels: Kernels;
  /** i32 words that tests and workers share. */
  readonly words: Int32Array;
}

function start(setup: PoolSetup, index: number, count: number): Context {
  if (setup.fails?.index === index) {
    if (setup.fails.how === "refuses") throw new JanusError("E_OOM", "starting: no memory", { origin: "model" });
    if (setup.fails.how === "throws") throw new TypeError("a bug in start");
    process.exit(3);
  }
  const { memory } = setup;
  const kernels = instantiateKernels(setup.module, memory);
  const control = new Int32Array(memory.buffer, ARENA_BASE, CONTROL_BYTES / 4);
  const team = new Team(index, count, control, () => kernels.barrier(ARENA_BASE as Pointer, count));
  return { team, kernels, words: new Int32Array(memory.buffer, WORDS_AT, 16) };
}

/** Calls of `each` one after another, with a barrier between: their totals, and the worker that sleeps in each of its tasks. */
export interface Claims {
  readonly totals: readonly number[];
  readonly slow?: number;
}

/** Everyone else waits at the barrier for the worker that misbehaves. */
function fault(misbehave: (x: Context) => unknown): Program<Context> {
  return (x, { index }: Fault) => {
    if (x.team.index === index) misbehave(x);
    x.team.barrier();
    return undefined;
  };
}

const programs = {
  echo: (x: Context, input: unknown, own: unknown): Reply => ({
    output: { index: x.team.index, count: x.team.count, input, own },
  }),
  give: (_x: Context, bytes: number): Reply => {
    const output = new Uint8Array(bytes).fill(7);
    return { output, transfer: [output.buffer] };
  },
  later: async (x: Context): Promise<Reply> => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { output: x.team.index };
  },
  nothing: () => undefined,
  meet: (x: Context, times: number): Reply => {
    for (let time = 0; time < times; time++) x.team.barrier();
    return { output: times };
  },
  /** The tasks that this worker got, of each call. */
  claim: (x: Context, { totals, slow }: Claims): Reply => {
    const output = totals.map((total) => {
      const own: number[] = [];
      x.team.each(total, (index) => {
        own.push(index);
        if (x.team.index === slow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_MS);
      });
      x.team.barrier();
      return own;
    });
    return { output };
  },
  /** Takes tasks until it is stopped. */
  claimOn: (x: Context): undefined => {
    Atomics.add(x.words, WORDS.entered, 1);
    x.team.each(2 ** 30, () => x.team.poll());
  },
  /** Enters, counts who is inside at the first moment all could be, leaves: more than `count` would be two programs at once. */
  visit: (x: Context): Reply => {
    Atomics.add(x.words, WORDS.inside, 1);
    x.team.barrier();
    const inside = Atomics.load(x.words, WORDS.inside);
    x.team.barrier();
    Atomics.sub(x.words, WORDS.inside, 1);
    return { output: inside };
  },
  refuse: fault(() => {
    throw new JanusError("E_NUMERIC", "packing: expected a number, got none", { origin: "model" });
  }),
  refuseAll: (x: Context): undefined => {
    throw new JanusError("E_OOM", `growing: worker ${x.team.index} has no memory`);
  },
  crash: fault(() => {
    throw new TypeError("a bug");
  }),
  crashOddly: fault(() => {
    throw "a string";
  }),
  trap: fault((x) => x.kernels.exp(0xfffffff0 as Pointer, 0 as Pointer, 0, 1024)),
  exit: fault(() => process.exit(7)),
  secret: (): Reply => ({ output: () => 1 }),
  /** Computes in slices until it is stopped. */
  spin: (x: Context): undefined => {
    Atomics.add(x.words, WORDS.entered, 1);
    for (;;) {
      x.team.poll();
      for (const end = performance.now() + 1; performance.now() < end; );
    }
  },
  /** All but the first wait at a barrier that it never comes to by itself. */
  waitForLeader: (x: Context): undefined => {
    Atomics.add(x.words, WORDS.entered, 1);
    while (x.team.leads) x.team.poll();
    x.team.barrier();
  },
  /** Never looks at the stop word. */
  deaf: (x: Context, { index }: Fault): undefined => {
    Atomics.add(x.words, WORDS.entered, 1);
    while (x.team.index === index && Atomics.load(x.words, WORDS.release) === 0);
    x.team.barrier();
  },
} satisfies Record<string, Program<Context>>;

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
serve(
  {
    post: (message: FromWorker, transfer) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => port.on("message", (message: ToWorker) => listener(message)),
  },
  start,
  programs,
);
