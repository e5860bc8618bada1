/** A vocabulary in the tables of tokenizer.janus: texts one behind another, and ids in the order of the texts. */
import { BYTE_ALPHABET } from "./byte-alphabet.js";
import { type CompactLayout, refuse } from "./compact-layout.js";
import type { Vocabulary } from "./tokenizer-json.js";

/** Any text becomes UTF-8 but one with a lone surrogate, which no token has. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Tokens found by bisection, without a string for any of them.
 *
 * @throws JanusError E_FORMAT when the tables do not hold the same texts once each.
 */
export function compactVocabulary({ offsets, order, texts }: CompactLayout): Vocabulary {
  const size = order.length;
  checkOffsets("texts", offsets, texts.length);
  const textOf = (id: number): Uint8Array => texts.subarray(offsets[id], offsets[id + 1]);
  for (let i = 0; i < size; i++) {
    if (order[i]! >= size) throw refuse(`expected ids below ${size}, got ${order[i]} in the order of texts`);
    // Strictly ascending texts are distinct, so every id is here once.
    if (i > 0 && compareSpans(texts, offsets, order[i - 1]!, order[i]!) >= 0) {
      throw refuse(`expected texts in ascending order, got token ${order[i]} behind token ${order[i - 1]}`);
    }
  }
  return {
    size,
    idOf(token) {
      if (LONE_SURROGATE.test(token)) return undefined;
      const text = new TextEncoder().encode(token);
      let [low, high] = [0, size];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (compareTexts(textOf(order[middle]!), text) < 0) low = middle + 1;
        else high = middle;
      }
      return low < size && compareTexts(textOf(order[low]!), text) === 0 ? order[low] : undefined;
    },
  };
}

/** The token of every byte, by the character that ByteLevel writes it as. E_FORMAT when one is missing. */
export function byteTokens(vocabulary: Vocabulary): Int32Array {
  const ids = new Int32Array(0x144).fill(-1);
  for (const character of BYTE_ALPHABET) {
    const id = vocabulary.idOf(character);
    if (id === undefined) throw refuse(`expected a token for every byte, got none for ${JSON.stringify(character)}`);
    ids[character.charCodeAt(0)] = id;
  }
  return ids;
}

/** Boundaries that begin at 0, never descend and end at `end`. */
export function checkOffsets(what: string, offsets: Uint32Array, end: number): void {
  for (let i = 1; i < offsets.length; i++) {
    if (offsets[i]! < offsets[i - 1]!) {
      throw refuse(`expected the ends of ${what} in ascending order, got ${offsets[i]} behind ${offsets[i - 1]}`);
    }
  }
  if (offsets[0] !== 0 || offsets.at(-1) !== end) {
    throw refuse(`expected ${what} from 0 to ${end}, got ${offsets[0]} to ${offsets.at(-1)}`);
  }
}

/** By their bytes, the shorter first where one begins with the other. */
export function compareTexts(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** The same of two tokens, without a view of either: it is asked for every token of a file. */
function compareSpans(texts: Uint8Array, offsets: Uint32Array, a: number, b: number): number {
  const [aAt, bAt] = [offsets[a]!, offsets[b]!];
  const [aLength, bLength] = [offsets[a + 1]! - aAt, offsets[b + 1]! - bAt];
  const shorter = Math.min(aLength, bLength);
  for (let i = 0; i < shorter; i++) {
    const difference = texts[aAt + i]! - texts[bAt + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}
