import type { WorkerHandle } from "../../threads/protocol.js";
import { computeHandle, startInProcess } from "../in-process-worker.js";
import type { MessageWorker } from "../message-worker.js";
import type { Assets } from "./assets.js";
import { ROLES, type Role } from "./roles.js";

/** Whether this scope can start workers: a service worker cannot. */
export const HAS_WORKERS = typeof Worker === "function";

/** A worker of a role; in the caller's own thread where no other can be started. */
export function startWorker(role: Role, assets: Assets): MessageWorker {
  if (!HAS_WORKERS) return startInProcess(ROLES[role]);
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

/** A compute worker. */
export function startComputeWorker(assets: Assets): WorkerHandle {
  return computeHandle(startWorker("compute", assets));
}
