/**
 * A compute worker with a clock around every kernel and every barrier: it serves the programs of the real one, and posts what took how
 * long before each answer. Two readings of the clock a call of some 0.2 ms: nothing that shows.
 */
import { parentPort } from "node:worker_threads";
import { type ModelContext, PROGRAMS, startModel } from "#dist/entry/programs.js";
import type { ModelPlan } from "#dist/model/plan.js";
import type { FromWorker, ToWorker } from "#dist/threads/protocol.js";
import { type Program, serve } from "#dist/threads/serve.js";
import { phaseNames } from "./phase-names.js";

type Model = ModelContext;
type Call = (...args: number[]) => number;

/** What a worker of `phase-host.ts` posts besides its answers: milliseconds by kernel. */
export interface PhaseMessage {
  readonly kind: "phases";
  readonly ms: Readonly<Record<string, number>>;
}

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");

let ms: Record<string, number> = {};

function timed<T>(name: string, work: () => T): T {
  const started = performance.now();
  try {
    return work();
  } finally {
    ms[name] = (ms[name] ?? 0) + performance.now() - started;
  }
}

/** The same context, its kernels and its team's barrier timed. */
function startTimed(...setup: Parameters<typeof startModel<ModelPlan>>): Model {
  const model = startModel(...setup);
  const phaseOf = phaseNames(model.plan.weights);
  const wrap = (name: string, kernel: Call): Call => {
    return (...args) => timed(phaseOf(name, args), () => kernel(...args));
  };
  const exported = Object.entries(model.kernels as unknown as Record<string, Call>);
  const kernels = Object.fromEntries(
    exported.map(([name, kernel]) => [name, typeof kernel === "function" ? wrap(name, kernel) : kernel]),
  ) as unknown as Model["kernels"];
  const barrier = model.team.barrier.bind(model.team);
  model.team.barrier = () => timed("barrier", barrier);
  return { ...model, kernels };
}

const programs: Record<string, Program<Model>> = {};
for (const [name, program] of Object.entries(PROGRAMS as unknown as Record<string, Program<Model>>)) {
  programs[name] = async (...args) => {
    ms = {};
    const reply = await program(...args);
    port.postMessage({ kind: "phases", ms } satisfies PhaseMessage);
    return reply;
  };
}

serve(
  {
    post: (message: FromWorker, transfer) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => port.on("message", (message: ToWorker) => listener(message)),
  },
  startTimed,
  programs,
);
