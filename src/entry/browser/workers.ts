import type { FromWorker, WorkerHandle } from "../../threads/protocol.js";
import { startInProcessWorker } from "../in-process-worker.js";
import type { MessageWorker } from "../message-worker.js";
import type { Assets } from "./assets.js";
import { ROLES, type Role } from "./roles.js";

/** Whether this scope can start workers: a service worker cannot. */
export const HAS_WORKERS = typeof Worker === "function";

/** A worker of a role; in the caller's own thread where no other can be started. */
export function startWorker(role: Role, assets: Assets): MessageWorker {
  if (!HAS_WORKERS) return startInProcess(role);
  const worker = assets.startWorker();
  // It may end before anyone listens: it is told then.
  let over: { readonly error: unknown } | undefined;
  let onOver: ((error: unknown) => void) | undefined;
  const end = (error: unknown): void => {
    over ??= { error };
    onOver?.(error);
  };
  worker.addEventListener("error", (event) => {
    event.preventDefault?.();
    end(
      event.message ||
        "its program did not load; copy worker.js and shared.js of the package, or name their directory as assetsBase",
    );
  });
  worker.addEventListener("messageerror", () => end("it sent what cannot be read"));
  worker.postMessage(role);
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => worker.addEventListener("message", ({ data }) => listener(data)),
    onEnd(listener) {
      onOver = listener;
      if (over) listener(over.error);
    },
    async terminate() {
      worker.terminate();
    },
  };
}

/** The same messages in the same order, each in a turn of the event loop of its own. */
function startInProcess(role: Role): MessageWorker {
  let work: ((message: unknown) => void) | undefined;
  let answer: ((message: unknown) => void) | undefined;
  ROLES[role]({
    post: (message) => queueMicrotask(() => answer?.(message)),
    onMessage(listener) {
      work = listener;
    },
  });
  return {
    post: (message) => void setTimeout(() => work?.(message), 0),
    onMessage(listener) {
      answer = listener;
    },
    onEnd() {}, // It ends with its thread, which is the caller's.
    async terminate() {
      work = undefined;
      answer = undefined;
    },
  };
}

/** A compute worker. */
export function startComputeWorker(assets: Assets): WorkerHandle {
  if (!HAS_WORKERS) return startInProcessWorker();
  const worker = startWorker("compute", assets);
  return {
    post: (message, transfer) => worker.post(message, transfer),
    onMessage: (listener) => worker.onMessage((message) => listener(message as FromWorker)),
    onEnd: (listener) => worker.onEnd((error) => listener(String(error))),
    terminate: () => worker.terminate(),
  };
}
