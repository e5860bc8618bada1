import { JanusError } from "../errors.js";
import { resetControl, STOP, stopProgram } from "./control.js";
import type { FromWorker, WorkerHandle } from "./protocol.js";
import { fromWire } from "./protocol.js";

/** How long a stopped program may take to leave: a thousand times the work between two polls. */
const STOP_GRACE_MS = 2000;

export interface PoolOptions {
  readonly count: number;
  readonly startWorker: () => WorkerHandle;
  readonly control: Int32Array;
  /** Handed to every worker's start function. */
  readonly setup: unknown;
  /** Milliseconds after which the workers of a program that does not leave when stopped are ended by force. */
  readonly grace?: number;
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
 * One program runs at a time; the caller queues. After a worker died, trapped or did not stop the pool is lost: its workers are ended, and
 * every run is E_INTERNAL from then on.
 */
export class Pool {
  readonly #workers: WorkerHandle[] = [];
  #control: Int32Array;
  readonly #grace: number;
  #listeners: Array<(message: FromWorker) => void> = [];
  #lost: JanusError | undefined;
  #onLost: ((error: JanusError) => void) | undefined;

  private constructor(control: Int32Array, grace: number) {
    this.#control = control;
    this.#grace = grace;
  }

  /** Starts `count` workers and waits until each has built its context. */
  static async start(options: PoolOptions): Promise<Pool> {
    const pool = new Pool(options.control, options.grace ?? STOP_GRACE_MS);
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
   * the first worker's error when one fails, in both cases only after every worker has left the program (or was ended).
   */
  async run(program: string, input: unknown, options: RunOptions = {}): Promise<unknown[]> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#lost) throw this.#lost;
    resetControl(this.#control);
    let force: ReturnType<typeof setTimeout> | undefined;
    const onAbort = (): void => {
      stopProgram(this.#control, STOP.cancelled);
      // A worker that shares nothing cannot hear of it, and is no worse for that: its program is waited for.
      if (isShared(this.#control)) force = setTimeout(() => this.#lose(unstoppable(program)), this.#grace);
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

  /** Ends the workers and lets go of their memory. What is running rejects with E_DISPOSED. */
  async dispose(): Promise<void> {
    this.#lose(new JanusError("E_DISPOSED", "the model was disposed of while it was working"));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    // The block lies in the memory that all workers share: whoever keeps a disposed model must not keep that.
    this.#control = new Int32Array(this.#control.length);
    this.#listeners = [];
    this.#onLost = undefined;
  }

  #add(worker: WorkerHandle, index: number): void {
    this.#workers.push(worker);
    worker.onMessage((message) => this.#listeners[index]?.(message));
    worker.onEnd((reason) =>
      this.#lose(new JanusError("E_INTERNAL", `compute worker ${index} ended: ${reason}; load the model again`)),
    );
  }

  /** From now on everything rejects with `error`, and no worker goes on. */
  #lose(error: JanusError): void {
    this.#lost ??= error;
    stopProgram(this.#control, STOP.failed);
    this.#onLost?.(this.#lost);
    for (const worker of this.#workers) void worker.terminate();
  }

  /** Posts to every worker and gathers one answer from each. */
  #collect(post: (worker: WorkerHandle, index: number) => void): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const outputs: unknown[] = [];
      let waiting = this.#workers.length;
      let failure: JanusError | undefined;
      this.#onLost = reject;
      this.#listeners = this.#workers.map((_, index) => (message) => {
        if (message.kind === "failed") {
          const error = fromWire(message.error);
          failure ??= error;
          if (message.fatal) this.#lose(error);
          else stopProgram(this.#control, STOP.failed);
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

function isShared({ buffer }: Int32Array): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}

function unstoppable(program: string): JanusError {
  return new JanusError("E_INTERNAL", `a worker did not leave ${program} when stopped; load the model again`);
}
