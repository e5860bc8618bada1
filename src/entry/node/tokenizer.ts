import { Worker } from "node:worker_threads";
import { JanusError, quote } from "../../errors.js";
import type { TokenizerFiles, TokenizerOptions } from "../../text/tokenizer.js";
import type { TokenizerHandle } from "../host.js";
import type { MessageWorker } from "../message-worker.js";
import { startTokenizerThread } from "../tokenizer-thread.js";

/** Heap of the thread: DeepSeek's tokenizer takes a tenth of it, and a hostile file that wants more ends the thread, not the process. */
const HEAP_MB = 1024;

/** A tokenizer on a worker thread. An idle thread does not keep the process alive. `booted` is the thread to use first. */
export function startTokenizer(
  files: TokenizerFiles,
  options: TokenizerOptions,
  booted?: MessageWorker,
): TokenizerHandle {
  return startTokenizerThread(files, options, { boot: bootThread, booted, died });
}

/** A thread that loads its code and waits for files. It does not keep the process alive. */
export function bootThread(): MessageWorker {
  // Of this process's own flags some are refused by a worker (--input-type), and none is meant for it.
  const limits = { maxOldGenerationSizeMb: HEAP_MB };
  const worker = new Worker(new URL("./tokenizer-worker.js", import.meta.url), {
    execArgv: [],
    resourceLimits: limits,
  });
  worker.unref();
  let over = false;
  let onOver: ((error: unknown) => void) | undefined;
  const end = (error: unknown): void => {
    over = true;
    onOver?.(error);
  };
  worker.on("error", end);
  worker.on("exit", (status) => end(`exit status ${status}`));
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => worker.on("message", listener),
    onEnd(listener) {
      onOver = listener;
      if (over) listener("it ended before it was asked anything");
    },
    async terminate() {
      await worker.terminate();
    },
    hold: () => worker.ref(),
    release: () => worker.unref(),
  };
}

function died(error: unknown): JanusError {
  if (error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return new JanusError(
      "E_OOM",
      `the tokenizer needs more than the ${HEAP_MB} MB its thread has; give shorter texts, or the tokenizer.json the model was published with`,
      { cause: error },
    );
  }
  const got = quote(error instanceof Error ? error.message : error);
  return new JanusError("E_INTERNAL", `the tokenizer's thread ended unexpectedly: ${got}`, { cause: error });
}
