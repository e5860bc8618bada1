import { STOP, WORD } from "./control.js";

/** Thrown inside a worker to leave a program that was stopped; never reaches a user. */
export class Stopped extends Error {}

/**
 * One worker's view of the workers that run the same program: its share of the rows, and where they wait for each other.
 *
 * Rows and columns are split, sums never are, so a result does not depend on how many workers there are.
 */
export class Team {
  readonly index: number;
  readonly count: number;
  readonly #control: Int32Array;
  readonly #wait: () => number;

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

  /** This worker's part [begin, end) of `total` items, split at multiples of `grain`. */
  share(total: number, grain = 1): { begin: number; end: number } {
    const grains = Math.ceil(total / grain);
    const begin = Math.floor((grains * this.index) / this.count) * grain;
    const end = Math.floor((grains * (this.index + 1)) / this.count) * grain;
    return { begin: Math.min(begin, total), end: Math.min(end, total) };
  }

  /**
   * Indices of `total` items for this worker: whoever is free takes the next one, and each goes to one worker. Once in a program, by every
   * worker.
   */
  *claims(total: number): Generator<number> {
    let alone = 0;
    const next = (): number => (this.count === 1 ? alone++ : Atomics.add(this.#control, WORD.claimed, 1));
    for (let item = next(); item < total; item = next()) yield item;
  }
}
