import type { Host, ModelSource, TokenizerHandle } from "#dist/entry/host.js";
import { nodeHost } from "#dist/entry/node/host.js";
import type { WorkerHandle } from "#dist/threads/protocol.js";

/** The Node host, seen from outside: what goes through it, and what it still holds. */
export interface WatchedHost extends Host {
  /**
   * In order: `open`, `read:<path>`, `close`, `start`, `run:<program>`, `decode`, `tokenizer`, `tokenize`, `dispose`; of a picture worker
   * `beside:start` and `beside:square`.
   */
  readonly events: string[];
  /** Sources open, workers and tokenizers not ended. */
  readonly held: () => { sources: number; workers: number; tokenizers: number };
  /** The underlying workers, to do them harm. */
  readonly workers: WorkerHandle[];
}

/** `on` is told of every event when it has just begun: work asked for is under way then. */
export function watchedHost(on: (event: string) => void = () => {}): WatchedHost {
  const host = nodeHost();
  const events: string[] = [];
  const workers: WorkerHandle[] = [];
  const held = { sources: 0, workers: 0, tokenizers: 0 };
  const note = (event: string): void => {
    events.push(event);
    on(event);
  };
  /** Notes the event once the work has begun. */
  const noted = <T>(event: string, work: Promise<T>): Promise<T> => {
    work.catch(() => undefined); // The caller's to handle, unless `on` throws.
    note(event);
    return work;
  };

  function watchWorker(): WorkerHandle {
    const worker = host.startWorker();
    workers.push(worker);
    held.workers++;
    let ended = false;
    const computes = workers.length === 1;
    let leads = false;
    return {
      ...worker,
      post(message, transfer) {
        worker.post(message, transfer);
        // Every pool has a leader, and compute workers are the first pool of a model.
        if (message.kind === "start") leads = message.index === 0;
        if (!leads) return;
        const work = message.kind === "start" ? "start" : message.program;
        note(computes ? (work === "start" ? work : `run:${work}`) : `beside:${work}`);
      },
      async terminate() {
        if (!ended) held.workers--;
        ended = true;
        await worker.terminate();
      },
    };
  }

  function watchSource(source: ModelSource): ModelSource {
    held.sources++;
    return {
      label: source.label,
      size: (path, signal) => source.size(path, signal),
      read: (path, offset, length, signal) => noted(`read:${path}`, source.read(path, offset, length, signal)),
      async close() {
        note("close");
        held.sources--;
        await source.close();
      },
    };
  }

  function watchTokenizer(tokenizer: TokenizerHandle): TokenizerHandle {
    held.tokenizers++;
    return {
      special: (signal) => noted("tokenizer", tokenizer.special(signal)),
      encode: (texts, signal) => noted("tokenize", tokenizer.encode(texts, signal)),
      async dispose() {
        held.tokenizers--;
        await tokenizer.dispose();
      },
    };
  }

  return {
    ...host,
    events,
    workers,
    held: () => ({ ...held }),
    startWorker: watchWorker,
    async openModel(model, signal) {
      const source = await host.openModel(model, signal);
      note("open");
      return watchSource(source);
    },
    expectPrompt() {
      note("expect");
      host.expectPrompt();
    },
    startTokenizer: (files, options) => watchTokenizer(host.startTokenizer(files, options)),
    decode: (image, index, signal) => noted("decode", host.decode(image, index, signal)),
    async dispose() {
      note("dispose");
      await host.dispose();
    },
  };
}
