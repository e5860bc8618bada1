import { STOP, WORD } from "./control.js";

/** Thrown inside a worker to leave a program that was stopped; never reaches a user. */
export class Stopped extends Error {}

/**
 * One worker's view of the workers that run the same program: its part of the work, and where they wait for each other.
 *
 * Rows and columns are split, sums never are, so a result depends neither on how many workers there are nor on which of them did what.
 */
export class Team {
  readonly index: number;
  readonly count: number;
  readonly #control: Int32Array;
  readonly #wait: () => number;
  /** Value of the claim counter at which the tasks of the next `each` begin. */
  #claimed = 0;

  /** `wait` is the barrier of the binary: it returns the stop word. */
  constructor(index: number, count: number, control: Int32Array, wait: () => number) {
    this.index = index;
    this.count = count;
    this.#control = control;
    this.#wait = wait;
  }

  /** Whether this worker takes in data from the caller and hands results back. */
  get leads(): boolean {
    return this.index === 0;
  }

  /** Returns when every worker has called it. Throws Stopped when the program was stopped. */
  barrier(): void {
    if (this.#wait() !== STOP.run) throw new Stopped();
    this.poll();
  }

  /** Throws Stopped when the program was stopped: called between slices of about a millisecond. */
  poll(): void {
    if (Atomics.load(this.#control, WORD.stop) !== STOP.run) throw new Stopped();
  }

  /** Called before a program, after `resetControl`: which a worker alone may not share, so it sets its own counter back. */
  begin(): void {
    this.#claimed = 0;
    if (this.count === 1) Atomics.store(this.#control, WORD.claimed, 0);
  }

  /**
   * Runs the tasks 0 … total - 1, each on one worker, whichever is free: a worker that is slower, or interrupted, does fewer. Every worker of the
   * program must call it with the same total, and wait at the barrier before what the tasks wrote is used and before the next call.
   *
   * Tasks are claimed from one counter that is never set back between calls: each worker's last claim, the one that finds nothing left,
   * is counted too, so all know where the next call begins. A worker that began it while another has that claim still to make would take it away.
   */
  each(total: number, task: (index: number) => void): void {
    for (;;) {
      const index = Atomics.add(this.#control, WORD.claimed, 1) - this.#claimed;
      if (index >= total) break;
      task(index);
    }
    this.#claimed += total + this.count;
  }

  /** This worker's part [begin, end) of `total` items, split at multiples of `grain`. */
  share(total: number, grain = 1): { begin: number; end: number } {
    const grains = Math.ceil(total / grain);
    const begin = Math.floor((grains * this.index) / this.count) * grain;
    const end = Math.floor((grains * (this.index + 1)) / this.count) * grain;
    return { begin: Math.min(begin, total), end: Math.min(end, total) };
  }
}
