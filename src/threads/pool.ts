import { JanusError } from "../errors.js";
import { resetControl, STOP, stopProgram } from "./control.js";
import type { FromWorker, WorkerHandle } from "./protocol.js";
import { fromWire } from "./protocol.js";

/** How long a stopped program may take to leave before its workers are ended by force. */
const STOP_GRACE_MS = 2000;

export interface PoolOptions {
  readonly count: number;
  readonly startWorker: () => WorkerHandle;
  readonly control: Int32Array;
  /** Handed to every worker's start function. */
  readonly setup: unknown;
}

export interface RunOptions {
  /** For the leader alone; buffers named in `transfer` change hands. */
  readonly own?: unknown;
  readonly transfer?: readonly ArrayBuffer[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * The caller's end of the workers: sends a program to all of them and waits until all have left it.
 *
 * One program runs at a time; the caller queues. After a worker died or trapped the pool is lost: E_INTERNAL from then on.
 */
export class Pool {
  readonly #workers: WorkerHandle[] = [];
  readonly #control: Int32Array;
  #listeners: Array<(message: FromWorker) => void> = [];
  #lost: JanusError | undefined;
  #onLost: ((error: JanusError) => void) | undefined;

  private constructor(control: Int32Array) {
    this.#control = control;
  }

  /** Starts `count` workers and waits until each has built its context. */
  static async start(options: PoolOptions): Promise<Pool> {
    const pool = new Pool(options.control);
    try {
      for (let index = 0; index < options.count; index++) pool.#add(options.startWorker(), index);
      await pool.#collect((worker, index) =>
        worker.post({ kind: "start", index, count: options.count, setup: options.setup }, []),
      );
    } catch (error) {
      await pool.dispose();
      throw error;
    }
    return pool;
  }

  get size(): number {
    return this.#workers.length;
  }

  /**
   * Runs a program on every worker; resolves to their outputs, the leader's first. Rejects with the signal's reason when aborted, with
   * the first worker's error when one fails, in both cases only after every worker has left the program.
   */
  async run(program: string, input: unknown, options: RunOptions = {}): Promise<unknown[]> {
    const { signal } = options;
    signal?.throwIfAborted();
    resetControl(this.#control);
    let force: ReturnType<typeof setTimeout> | undefined;
    const onAbort = (): void => {
      stopProgram(this.#control, STOP.cancelled);
      force = setTimeout(
        () => this.#lose(new JanusError("E_INTERNAL", "a worker did not leave its program when stopped")),
        STOP_GRACE_MS,
      );
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const outputs = await this.#collect((worker, index) => {
        const leads = index === 0;
        worker.post(
          { kind: "run", program, input, own: leads ? options.own : undefined },
          leads ? (options.transfer ?? []) : [],
        );
      });
      signal?.throwIfAborted();
      return outputs;
    } catch (error) {
      if (!this.#lost) signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      clearTimeout(force);
    }
  }

  /** Ends the workers. What is running rejects with E_DISPOSED. */
  async dispose(): Promise<void> {
    this.#lose(new JanusError("E_DISPOSED", "the model was disposed of while it was working"));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #add(worker: WorkerHandle, index: number): void {
    this.#workers.push(worker);
    worker.onMessage((message) => this.#listeners[index]?.(message));
    worker.onEnd((reason) =>
      this.#lose(new JanusError("E_INTERNAL", `compute worker ${index} ended: ${reason}; load the model again`)),
    );
  }

  /** From now on everything rejects with `error`; workers that wait are let go. */
  #lose(error: JanusError): void {
    this.#lost ??= error;
    stopProgram(this.#control, STOP.failed);
    this.#onLost?.(this.#lost);
  }

  /** Posts to every worker and gathers one answer from each. */
  #collect(post: (worker: WorkerHandle, index: number) => void): Promise<unknown[]> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      const outputs: unknown[] = [];
      let waiting = this.#workers.length;
      let failure: JanusError | undefined;
      this.#onLost = reject;
      this.#listeners = this.#workers.map((_, index) => (message) => {
        if (message.kind === "failed") {
          failure ??= fromWire(message.error);
          stopProgram(this.#control, STOP.failed);
          if (message.fatal) this.#lost ??= failure;
        } else if (message.kind === "done") {
          outputs[index] = message.output;
        } else if (message.kind === "stopped") {
          failure ??= new JanusError("E_INTERNAL", "a program was stopped without a reason");
        }
        if (--waiting > 0) return;
        this.#onLost = undefined;
        if (failure) reject(failure);
        else resolve(outputs);
      });
      this.#workers.forEach(post);
    });
  }
}
