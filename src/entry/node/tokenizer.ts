import { Worker } from "node:worker_threads";
import { JanusError, quote } from "../../errors.js";
import type { SpecialTokens, TokenizerFiles, TokenizerOptions } from "../../text/tokenizer.js";
import { orAborted } from "../or-aborted.js";
import type { Encoded, Failure, Started, Task, Texts } from "./tokenizer-worker.js";

/** A tokenizer on a thread of its own, where a hostile tokenizer.json or a huge text can be stopped. */
export interface TokenizerThread {
  /** The ids the rest needs. Rejects with E_CONFIG or E_UNSUPPORTED when the files make no tokenizer. */
  special(signal?: AbortSignal): Promise<SpecialTokens>;
  /** The ids of each text. Rejects with E_CONFIG when the tokenizer does not finish in the time such texts are given. */
  encode(texts: readonly string[], signal?: AbortSignal): Promise<number[][]>;
  /** Stops the thread; what runs or waits rejects with E_DISPOSED. */
  dispose(): Promise<void>;
}

/** Time for texts: 1.5 s and 1 s per 100 000 characters, six times and more what DeepSeek's tokenizer needs for prose on one core. */
const ENCODE_MS = 1500;
const ENCODE_MS_PER_CHARACTER = 0.01;

/** Time for a tokenizer to be made: 5 s and 1 s per 1 000 000 bytes, where DeepSeek's 8 MB take under 0.5 s. */
const START_MS = 5000;
const START_MS_PER_BYTE = 0.001;

/** Heap of the thread: DeepSeek's tokenizer takes a tenth of it, and a hostile file that wants more ends the thread, not the process. */
const HEAP_MB = 1024;

/**
 * A tokenizer on a worker thread, which is started by the first call, lives until an abort, a deadline or `dispose()`, and is started
 * again by the next call. Calls queue. An idle thread does not keep the process alive. `booted` is the thread to use first.
 */
export function startTokenizer(files: TokenizerFiles, options: TokenizerOptions, booted?: Worker): TokenizerThread {
  let spare = booted;
  let thread: Thread | undefined;
  let disposed = false;
  let queue: Promise<unknown> = Promise.resolve();

  async function started(signal?: AbortSignal): Promise<{ thread: Thread; special: SpecialTokens }> {
    if (thread?.special !== undefined && thread.alive) return { thread, special: thread.special };
    const fresh = new Thread(spare ?? bootThread());
    spare = undefined;
    thread = fresh;
    fresh.ask({ files, options } satisfies Task);
    const bytes = files.tokenizerJson.length;
    const answer = await fresh.answer<Started>(
      START_MS + bytes * START_MS_PER_BYTE,
      (time) => `${bytes} bytes made no tokenizer within ${time}; try again on a less busy machine`,
      signal,
    );
    if ("failure" in answer) {
      void fresh.stop();
      throw revived(answer.failure);
    }
    fresh.special = answer.special;
    return { thread: fresh, special: answer.special };
  }

  async function encode(texts: readonly string[], signal?: AbortSignal): Promise<number[][]> {
    const { thread } = await started(signal);
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    thread.ask(texts);
    const answer = await thread.answer<Encoded>(
      ENCODE_MS + characters * ENCODE_MS_PER_CHARACTER,
      (time) => `a pattern did not finish on this text of ${characters} characters within ${time}; give a shorter text`,
      signal,
    );
    if ("failure" in answer) throw revived(answer.failure);
    return answer.ids;
  }

  /** Behind what already waits; an abort rejects at once, whoever is being served. */
  function enqueue<Result>(call: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const turn = queue.then(() => {
      signal?.throwIfAborted();
      if (disposed) throw gone();
      return call();
    });
    queue = turn.catch(() => {});
    return signal === undefined ? turn : orAborted(turn, signal);
  }

  return {
    special: (signal) => enqueue(async () => (await started(signal)).special, signal),
    encode: (texts, signal) => enqueue(() => encode(texts, signal), signal),
    async dispose() {
      disposed = true;
      await spare?.terminate();
      await thread?.stop(gone());
    },
  };
}

/** A thread that loads its code and waits for files. It does not keep the process alive. */
export function bootThread(): Worker {
  // Of this process's own flags some are refused by a worker (--input-type), and none is meant for it.
  const limits = { maxOldGenerationSizeMb: HEAP_MB };
  const worker = new Worker(new URL("./tokenizer-worker.js", import.meta.url), {
    execArgv: [],
    resourceLimits: limits,
  });
  worker.unref();
  worker.on("error", () => {}); // Whoever asks it is told.
  return worker;
}

/** One worker and the one answer that is awaited of it. */
class Thread {
  special: SpecialTokens | undefined;
  readonly #worker: Worker;
  #stopped: { reason: unknown } | undefined;
  #settle: ((outcome: { value: unknown } | { reason: unknown }) => void) | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    if (worker.threadId < 0) void this.stop(died("it ended before it was asked anything"));
    this.#worker.on("message", (value) => this.#settle?.({ value }));
    this.#worker.on("error", (error) => void this.stop(died(error)));
    this.#worker.on("exit", (status) => void this.stop(died(`exit status ${status}`)));
  }

  get alive(): boolean {
    return this.#stopped === undefined;
  }

  ask(question: Task | Texts): void {
    this.#worker.postMessage(question);
  }

  /** The next message. A thread that is late or whose caller no longer waits is stopped: nothing else ends a regular expression. */
  answer<Answer>(milliseconds: number, late: (time: string) => string, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#stopped !== undefined) return reject(this.#stopped.reason);
      const abort = (): void => void this.stop(signal?.reason);
      const expire = (): void => void this.stop(unfinished(late(`${(milliseconds / 1000).toFixed(1)} s`)));
      let immediate: NodeJS.Immediate | undefined;
      // When this thread was busy past the deadline, the answer may be waiting behind the timer: let it in first.
      const timer = setTimeout(() => {
        immediate = setImmediate(expire);
      }, milliseconds);
      this.#settle = (outcome) => {
        this.#settle = undefined;
        clearTimeout(timer);
        clearImmediate(immediate);
        signal?.removeEventListener("abort", abort);
        this.#worker.unref();
        if ("value" in outcome) resolve(outcome.value as Answer);
        else reject(outcome.reason);
      };
      this.#worker.ref();
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Ends the worker; whoever awaits an answer gets the reason. */
  async stop(reason?: unknown): Promise<void> {
    this.#stopped ??= { reason };
    this.#settle?.({ reason });
    await this.#worker.terminate();
  }
}

function revived({ code, message, origin }: Failure): JanusError {
  return new JanusError(code, message, origin === undefined ? {} : { origin });
}

function unfinished(what: string): JanusError {
  return new JanusError("E_CONFIG", `tokenizer.json: ${what}, or use the file the model was published with`);
}

function gone(): JanusError {
  return new JanusError("E_DISPOSED", "the tokenizer was disposed; load the model again");
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
