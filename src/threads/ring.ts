/** Words of a ring, i32: how many batches were put in, then of every batch how many of its items were taken. */
const FILLED = 0;
const FIRST_BATCH = 1;

/** How long a worker sleeps before it looks at the stop word again, ms. */
const NAP_MS = 10;

/** `Atomics.waitAsync`, which is newer than the library this project is typed with. */
type WaitAsync = (words: Int32Array, index: number, value: number) => { readonly value: Promise<string> | string };

/**
 * How a caller hands batches to the workers of a running program without a message for each: it fills rooms in turn, they take the items of
 * every batch in order, and a room whose batch was taken whole is filled again.
 */
export class Ring {
  readonly #words: Int32Array;

  /** `words` as `Ring.words` made them, the same for the caller and the workers. */
  constructor(words: SharedArrayBuffer) {
    this.#words = new Int32Array(words);
  }

  static words(batches: number): SharedArrayBuffer {
    return new SharedArrayBuffer((FIRST_BATCH + batches) * 4);
  }

  /** The caller's: the next batch is in its room. */
  fill(): void {
    Atomics.add(this.#words, FILLED, 1);
    Atomics.notify(this.#words, FILLED);
  }

  /** A worker's: returns when `batch` is in its room; `poll` throws when the program was stopped. */
  await(batch: number, poll: () => void): void {
    for (let filled = Atomics.load(this.#words, FILLED); filled <= batch; filled = Atomics.load(this.#words, FILLED)) {
      poll();
      Atomics.wait(this.#words, FILLED, filled, NAP_MS);
    }
  }

  /** A worker's: it has taken one of the `items` of `batch`. */
  take(batch: number, items: number): void {
    const taken = Atomics.add(this.#words, FIRST_BATCH + batch, 1) + 1;
    if (taken === items) Atomics.notify(this.#words, FIRST_BATCH + batch);
  }

  /** The caller's: resolves when all `items` of `batch` were taken. */
  async taken(batch: number, items: number): Promise<void> {
    const index = FIRST_BATCH + batch;
    const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync };
    for (let taken = Atomics.load(this.#words, index); taken < items; taken = Atomics.load(this.#words, index)) {
      await waitAsync(this.#words, index, taken).value;
    }
  }
}
