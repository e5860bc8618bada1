import type { Host } from "#dist/entry/host.js";
import { startInProcessWorker } from "#dist/entry/in-process-worker.js";
import { nodeHost } from "#dist/entry/node/host.js";

/** A host as those that have neither workers nor shared memory: one thread, which computes when it is asked to, and reads between. */
export function inlineHost(): Host {
  return { ...nodeHost(), sharesMemory: false, availableThreads: () => 1, startWorker: startInProcessWorker };
}
