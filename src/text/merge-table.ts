/** The merges of tokenizer.janus: pairs sorted by left and right token, found by bisection. No file can make that slow, as it can a hash. */
import { type CompactLayout, refuse } from "./compact-layout.js";
import { checkOffsets } from "./compact-vocabulary.js";

export interface MergeTable {
  /** The place of a pair in `rank` and `result`, -1 of one that is not merged. */
  find(left: number, right: number): number;
  readonly rank: Uint32Array;
  readonly result: Uint32Array;
}

/**
 * @throws JanusError E_FORMAT unless pairs ascend, every rank is there once, and every pair makes the token whose text is that of both.
 */
export function mergeTable(layout: CompactLayout): MergeTable {
  const { first, right, rank, result } = layout;
  checkOffsets("merges", first, right.length);
  checkRanks(rank);
  for (let left = 0; left + 1 < first.length; left++) {
    for (let at = first[left]!; at < first[left + 1]!; at++) {
      if (at > first[left]! && right[at]! <= right[at - 1]!) {
        throw refuse(
          `expected the merges of token ${left} in ascending order, got ${right[at]} behind ${right[at - 1]}`,
        );
      }
      if (!makes(layout, left, right[at]!, result[at]!)) {
        throw refuse(`expected tokens ${left} and ${right[at]} to make the token of both texts, got ${result[at]}`);
      }
    }
  }
  return {
    find(left, token) {
      let low = first[left]!;
      const end = first[left + 1]!;
      let high = end;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (right[middle]! < token) low = middle + 1;
        else high = middle;
      }
      return low < end && right[low] === token ? low : -1;
    },
    rank,
    result,
  };
}

function checkRanks(rank: Uint32Array): void {
  const seen = new Uint8Array(rank.length);
  for (const place of rank) {
    if (place >= rank.length || seen[place] === 1) {
      throw refuse(`expected every rank below ${rank.length} once, got ${place}${place < rank.length ? " twice" : ""}`);
    }
    seen[place] = 1;
  }
}

/** Whether `made` is a token whose text is that of `left`, then that of `right`. */
function makes({ offsets, texts, order }: CompactLayout, left: number, right: number, made: number): boolean {
  if (right >= order.length || made >= order.length) return false;
  const at = offsets[made]!;
  const middle = at + offsets[left + 1]! - offsets[left]!;
  if (offsets[made + 1]! !== middle + offsets[right + 1]! - offsets[right]!) return false;
  for (let i = at; i < middle; i++) if (texts[i] !== texts[offsets[left]! + i - at]) return false;
  for (let i = middle; i < offsets[made + 1]!; i++) if (texts[i] !== texts[offsets[right]! + i - middle]) return false;
  return true;
}
