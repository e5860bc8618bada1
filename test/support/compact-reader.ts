/**
 * A reader of tokenizer.janus written from models/FORMAT.md alone: nothing of the package, and as plain as it can be. It merges as the text there says, pair
 * by pair, in as many passes as it takes.
 */
import { crc32 } from "node:zlib";

export interface ReadTokenizer {
  readonly header: {
    readonly source: { readonly bytes: number; readonly sha256: string };
    readonly normalizer: unknown;
    readonly pre_tokenizer: unknown;
    readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  };
  /** Texts by id. */
  readonly tokens: readonly string[];
  /** Pairs in the order of their ranks, as tokenizer.json has them. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** The id of a text, by `order`. */
  idOf(text: string): number | undefined;
  /** The ids of one word, in ByteLevel's characters. */
  mergeWord(word: string): number[];
}

export function readCompact(file: Uint8Array): ReadTokenizer {
  const buffer = Buffer.from(file);
  if (buffer.toString("latin1", 0, 8) !== "JANUSTOK" || buffer.readUInt32LE(8) !== 1) throw new Error("not version 1");
  if (buffer.readUInt32LE(12) !== crc32(buffer.subarray(16))) throw new Error("damaged");
  const [V, M, H, T] = [16, 20, 24, 28].map((at) => buffer.readUInt32LE(at)) as [number, number, number, number];
  let at = 32 + H;
  const words = (count: number): number[] => {
    const read = Array.from({ length: count }, (_, i) => buffer.readUInt32LE(at + 4 * i));
    at += 4 * count;
    return read;
  };
  const [offsets, order, first] = [words(V + 1), words(V), words(V + 1)] as const;
  const [right, rank, result] = [words(M), words(M), words(M)] as const;
  if (at + T !== buffer.length) throw new Error("another length");
  const tokens = order.map((_, id) => buffer.toString("utf8", at + offsets[id]!, at + offsets[id + 1]!));
  const merges: [string, string][] = [];
  const pairs = new Map<string, { rank: number; result: number }>();
  for (let left = 0; left < V; left++) {
    for (let i = first[left]!; i < first[left + 1]!; i++) {
      merges[rank[i]!] = [tokens[left]!, tokens[right[i]!]!];
      pairs.set(`${left} ${right[i]}`, { rank: rank[i]!, result: result[i]! });
    }
  }
  const idOf = (text: string): number | undefined => order.find((id) => tokens[id] === text);
  return {
    header: JSON.parse(buffer.toString("utf8", 32, 32 + H)),
    tokens,
    merges,
    idOf,
    mergeWord(word) {
      const ids = [...word].map((character) => idOf(character)!);
      for (;;) {
        const found = ids.map((id, i) => pairs.get(`${id} ${ids[i + 1]}`));
        const best = found.reduce((best, pair, i) => (pair && pair.rank < (found[best]?.rank ?? M) ? i : best), -1);
        if (best < 0) return ids;
        ids.splice(best, 2, found[best]!.result);
      }
    },
  };
}
