import type { PinnedFile, Sink } from "./http-range.js";
import { onAbort } from "./on-abort.js";

/** Fetches bytes [from, to) of a file. */
export type FetchRange = (file: PinnedFile, from: number, to: number, sink: Sink, signal: AbortSignal) => Promise<void>;

interface Read {
  readonly file: PinnedFile;
  readonly offset: number;
  readonly target: Uint8Array;
  readonly signal: AbortSignal | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Reads that lie so close together that the bytes between cost less than the headers of another request. */
const GAP_BYTES = 512;
/** A long run is fetched in pieces of this size, several at a time: what a cut connection costs, and enough to keep one busy. */
const PIECE_BYTES = 2 << 20;
/** A whole file up to this size is one request, which servers without ranges answer, too. */
const WHOLE_BYTES = 16 << 20;

/** Makes few requests of many reads: those asked for in one turn are joined where they are neighbours in a file. */
export class ReadQueue {
  readonly #fetch: FetchRange;
  #waiting: Read[] = [];

  constructor(fetch: FetchRange) {
    this.#fetch = fetch;
  }

  /** Fills `target` from `offset` of the file. Nothing is written to it any more when the promise has settled. */
  read(file: PinnedFile, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      // A loader asks for the tensors of a batch one after another, with turns of promises between: a timer comes after those.
      if (this.#waiting.length === 0) setTimeout(() => this.#flush(), 0);
      this.#waiting.push({ file, offset, target, signal, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of runsOf(waiting)) {
      this.#fetchRun(run).then(
        () => {
          for (const { resolve } of run) resolve();
        },
        (error: unknown) => {
          for (const { reject } of run) reject(error);
        },
      );
    }
  }

  async #fetchRun(run: readonly Read[]): Promise<void> {
    const [{ file, offset: begin, signal }] = run as [Read];
    const end = endOf(run);
    const failing = new AbortController();
    const stay = onAbort(signal, () => failing.abort(signal?.reason));
    const sink: Sink = (bytes, at) => {
      for (const read of run) copyOverlap(bytes, at, read);
    };
    const pieces = piecesOf(begin, end, file.file.size).map(([from, to]) =>
      this.#fetch(file, from, to, sink, failing.signal).catch((error: unknown) => failing.abort(error)),
    );
    // All of them: one that goes on would write to memory that is used for something else by then.
    await Promise.all(pieces);
    stay();
    failing.signal.throwIfAborted();
  }
}

/** Reads of the same file and signal in the order of their places, parted where there is a gap. */
function runsOf(reads: readonly Read[]): Read[][] {
  const runs: Read[][] = [];
  for (const read of [...reads].sort((a, b) => a.offset - b.offset)) {
    const run = runs.find(
      (one) => one[0]?.file === read.file && one[0].signal === read.signal && read.offset - endOf(one) <= GAP_BYTES,
    );
    if (run) run.push(read);
    else runs.push([read]);
  }
  return runs;
}

function endOf(run: readonly Read[]): number {
  return Math.max(...run.map(({ offset, target }) => offset + target.length));
}

function piecesOf(begin: number, end: number, size: number): [number, number][] {
  const whole = begin === 0 && end === size && size <= WHOLE_BYTES;
  const count = whole ? 1 : Math.ceil((end - begin) / PIECE_BYTES);
  const length = Math.ceil((end - begin) / count);
  return Array.from({ length: count }, (_, i) => [begin + i * length, Math.min(begin + (i + 1) * length, end)]);
}

function copyOverlap(bytes: Uint8Array, at: number, { offset, target }: Read): void {
  const from = Math.max(at, offset);
  const to = Math.min(at + bytes.length, offset + target.length);
  if (from < to) target.set(bytes.subarray(from - at, to - at), from - offset);
}
