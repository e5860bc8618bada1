import type { MergeTable } from "./merge-table.js";
import { NumberHeap } from "./number-heap.js";

/** Rank and position as one number: positions are below this, ranks below 2^21. */
const POSITIONS = 2 ** 32;

/** Room for words of this many bytes is kept; a longer one has its own while it is merged. */
const KEPT_BYTES = 1024;

/**
 * Byte-pair encoding: of all pairs that can be merged the one of the lowest rank goes first, of equal ones the leftmost. A heap of pairs and a linked list of
 * tokens, so that a word of n bytes takes n log n steps, whatever it says.
 *
 * Upstream: `Word::merge_all` of the tokenizers crate.
 */
export class Merger {
  readonly #table: MergeTable;
  readonly #byteTokens: Int32Array;
  readonly #kept = new Room(KEPT_BYTES);

  /** `byteTokens` has the token of every byte, by the character that ByteLevel writes it as. */
  constructor(table: MergeTable, byteTokens: Int32Array) {
    this.#table = table;
    this.#byteTokens = byteTokens;
  }

  /** Appends the ids of a word that ByteLevel has written. */
  encode(word: string, ids: number[]): void {
    const length = word.length;
    const room = length <= KEPT_BYTES ? this.#kept : new Room(length);
    const { token, merge, before, after, heap } = room;
    for (let at = 0; at < length; at++) {
      token[at] = this.#byteTokens[word.charCodeAt(at)]!;
      before[at] = at - 1;
      after[at] = at + 1;
    }
    for (let at = 0; at < length; at++) this.#consider(room, at, length);
    const { rank, result } = this.#table;
    for (let first = heap.pop(); first !== undefined; first = heap.pop()) {
      const at = first % POSITIONS;
      const place = merge[at]!;
      // The pair that was here may have changed, or gone, since it was put on the heap.
      if (place < 0 || rank[place] !== (first - at) / POSITIONS) continue;
      token[at] = result[place]!;
      const gone = after[at]!;
      merge[gone] = -1;
      after[at] = after[gone]!;
      if (after[at]! < length) before[after[at]!] = at;
      this.#consider(room, at, length);
      if (before[at]! >= 0) this.#consider(room, before[at]!, length);
    }
    for (let at = 0; at < length; at = after[at]!) ids.push(token[at]!);
  }

  /** Puts the pair that begins at `at` on the heap if it can be merged. */
  #consider({ token, merge, after, heap }: Room, at: number, length: number): void {
    const next = after[at]!;
    const place = next < length ? this.#table.find(token[at]!, token[next]!) : -1;
    merge[at] = place;
    if (place >= 0) heap.push(this.#table.rank[place]! * POSITIONS + at);
  }
}

/** The state of a word: its tokens, linked by their positions, and the pairs that wait to be merged. */
class Room {
  readonly token: Int32Array;
  /** The place in the table of the pair that begins here; -1 where none can be merged. */
  readonly merge: Int32Array;
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly heap: NumberHeap;

  constructor(bytes: number) {
    this.token = new Int32Array(bytes);
    this.merge = new Int32Array(bytes);
    this.before = new Int32Array(bytes);
    this.after = new Int32Array(bytes);
    // A pair for every byte, and with every merge, of which there are fewer, one is taken and two at most are put.
    this.heap = new NumberHeap(2 * bytes);
  }
}
