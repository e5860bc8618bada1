import type { Host } from "#dist/entry/host.js";
import { nodeHost } from "#dist/entry/node/host.js";
import { startComputeWorker } from "#dist/entry/node/workers.js";
import type { FromWorker, WorkerHandle } from "#dist/threads/protocol.js";
import type { PhaseMessage } from "./phase-worker.js";

/** Node as a host whose compute workers are those of `phase-worker.ts`. */
export class PhaseHost {
  readonly host: Host;
  #workers = 0;
  #ms: Record<string, number> = {};

  constructor() {
    this.host = { ...nodeHost(), startWorker: () => this.#start() };
  }

  /** Milliseconds by kernel since the last call, the mean of all workers. */
  take(): Record<string, number> {
    const taken = Object.fromEntries(Object.entries(this.#ms).map(([name, ms]) => [name, ms / this.#workers]));
    this.#ms = {};
    return taken;
  }

  #start(): WorkerHandle {
    this.#workers++;
    const worker = startComputeWorker(new URL("./phase-worker.js", import.meta.url));
    const onMessage: WorkerHandle["onMessage"] = (listener) =>
      worker.onMessage((message: FromWorker | PhaseMessage) => {
        if (message.kind !== "phases") listener(message);
        else for (const [name, ms] of Object.entries(message.ms)) this.#ms[name] = (this.#ms[name] ?? 0) + ms;
      });
    return { ...worker, onMessage };
  }
}
