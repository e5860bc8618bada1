import { JanusError } from "../errors.js";
import type { SpecialTokens, TokenizerFiles, TokenizerOptions } from "../text/tokenizer.js";
import { fromWire } from "../threads/protocol.js";
import { AskedWorker } from "./asked-worker.js";
import type { TokenizerHandle } from "./host.js";
import type { MessageWorker } from "./message-worker.js";
import { orAborted } from "./or-aborted.js";
import type { Encoded, Started, Task, Texts } from "./serve-texts.js";

/** Time for texts: 1.5 s and 1 s per 100 000 characters, six times and more what DeepSeek's tokenizer needs for prose on one core. */
const ENCODE_MS = 1500;
const ENCODE_MS_PER_CHARACTER = 0.01;

/** Time for a tokenizer to be made: 5 s and 1 s per 1 000 000 bytes, where DeepSeek's 8 MB take under 0.5 s. */
const START_MS = 5000;
const START_MS_PER_BYTE = 0.001;

export interface TokenizerThreadOptions {
  /** A worker that `serveTexts` and waits for files. */
  readonly boot: () => MessageWorker;
  /** The one to use first, which was booted before. */
  readonly booted?: MessageWorker | undefined;
  /** What is told to askers when a worker ends by itself. */
  readonly died: (error: unknown) => JanusError;
}

/**
 * A tokenizer in a worker of its own, where a hostile tokenizer.json or a huge text can be stopped. The worker is started by the first call, lives until an abort, a
 * deadline or `dispose()`, and is started again by the next call. Calls queue.
 */
export function startTokenizerThread(
  files: TokenizerFiles,
  options: TokenizerOptions,
  { boot, booted, died }: TokenizerThreadOptions,
): TokenizerHandle {
  let spare = booted;
  let thread: { readonly worker: AskedWorker; special?: SpecialTokens } | undefined;
  let disposed = false;
  let queue: Promise<unknown> = Promise.resolve();

  async function started(signal?: AbortSignal): Promise<{ worker: AskedWorker; special: SpecialTokens }> {
    if (thread?.special !== undefined && thread.worker.alive) return { worker: thread.worker, special: thread.special };
    const worker = new AskedWorker(spare ?? boot(), died);
    spare = undefined;
    thread = { worker };
    const bytes = files.tokenizerJson.length;
    const answer = await worker.ask<Started>({ files, options } satisfies Task, {
      milliseconds: START_MS + bytes * START_MS_PER_BYTE,
      late: (time) => unfinished(`${bytes} bytes made no tokenizer within ${time}; try again on a less busy machine`),
      signal,
    });
    if ("failure" in answer) {
      void worker.stop();
      throw fromWire(answer.failure);
    }
    thread.special = answer.special;
    return { worker, special: answer.special };
  }

  async function encode(texts: Texts, signal?: AbortSignal): Promise<number[][]> {
    const { worker } = await started(signal);
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    const answer = await worker.ask<Encoded>(texts, {
      milliseconds: ENCODE_MS + characters * ENCODE_MS_PER_CHARACTER,
      late: (time) =>
        unfinished(
          `a pattern did not finish on this text of ${characters} characters within ${time}; give a shorter text`,
        ),
      signal,
    });
    if ("failure" in answer) throw fromWire(answer.failure);
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
      await thread?.worker.stop(gone());
    },
  };
}

function unfinished(what: string): JanusError {
  return new JanusError("E_CONFIG", `tokenizer.json: ${what}, or use the file the model was published with`);
}

function gone(): JanusError {
  return new JanusError("E_DISPOSED", "the tokenizer was disposed; load the model again");
}
