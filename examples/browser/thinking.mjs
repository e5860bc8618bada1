// The page's end of thinking-worker.mjs: a call is a message with a number, and so is its answer.

const worker = new Worker(new URL("./thinking-worker.mjs", import.meta.url), { type: "module" });
/** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
const waiting = new Map();
let calls = 0;

worker.addEventListener("message", ({ data: { id, value, error } }) => {
  const call = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) call?.resolve(value);
  else call?.reject(new Error(error));
});
worker.addEventListener("error", (event) => {
  const error = new Error(event.message || "thinking-worker.mjs did not load");
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
});

/**
 * @param {"load" | "answer" | "colours"} task
 * @param {object} argument
 * @param {AbortSignal} [signal] an answer stops soon after; the call rejects at once
 * @returns {Promise<any>}
 */
export function think(task, argument, signal) {
  const id = calls++;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, task, ...argument });
    signal?.addEventListener("abort", () => {
      if (!waiting.delete(id)) return;
      worker.postMessage({ id, task: "cancel" });
      reject(signal.reason);
    });
  });
}
