import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compactLayout, isCompact } from "#dist/text/compact-layout.js";
import { compactOf, resummed } from "../../support/compact-tokenizers.js";
import { refusedNow } from "../../support/refusal.js";
import { checkpointFile } from "../../support/tokenizer-files.js";

const test = suite("text/compact-layout");

const FILE = compactOf(checkpointFile("tiny-orig-bin", "tokenizer.json"))!;

/** The file with one 32-bit number of its beginning changed, its checksum right. */
function withWord(index: number, value: number): Uint8Array {
  const file = Uint8Array.from(FILE);
  new DataView(file.buffer).setUint32(4 * index, value, true);
  return resummed(file);
}

test("the parts follow one another and end with the file", () => {
  const parts = compactLayout(FILE);
  const { header, offsets, order, first, right, rank, result, texts } = parts;
  assert.equal([offsets.length, order.length, first.length], [601, 600, 601]);
  assert.equal([rank.length, result.length], [right.length, right.length]);
  const words = [offsets, order, first, right, rank, result].reduce((sum, part) => sum + part.byteLength, 0);
  assert.is(32 + header.length + words + texts.length, FILE.length);
  for (const part of Object.values(parts)) assert.is(part.buffer, FILE.buffer, "a view, not a copy");
});

test("every flipped bit is found", () => {
  for (let at = 0; at < FILE.length; at += at < 64 ? 1 : 997) {
    const file = Uint8Array.from(FILE);
    file[at] = file[at]! ^ (1 << (at % 8));
    assert.throws(
      () => compactLayout(file),
      (error: Error & { code: string }) =>
        /^E_(FORMAT|INTEGRITY|UNSUPPORTED)$/.test(error.code) && error.message.includes("tokenizer.janus"),
      `byte ${at}`,
    );
  }
});

test("a file that is cut short, grown or empty is refused with both lengths", () => {
  const grown = new Uint8Array(FILE.length + 1);
  grown.set(FILE);
  for (const file of [FILE.subarray(0, -1), FILE.subarray(0, 32), grown])
    refusedNow(
      () => compactLayout(file),
      "E_FORMAT",
      /tokenizer\.janus/,
      new RegExp(`expected ${FILE.length} bytes, got ${file.length}`),
    );
  for (const length of [0, 7, 8, 31])
    refusedNow(() => compactLayout(FILE.subarray(0, length)), "E_FORMAT", /expected 32 bytes that begin with JANUSTOK/);
});

test("sizes of any value are refused before anything is allocated", () => {
  for (const index of [4, 5, 6, 7]) {
    for (const size of [0, 1, 2 ** 21, 2 ** 21 + 1, 2 ** 31, 2 ** 32 - 4, 2 ** 32 - 1])
      refusedNow(() => compactLayout(withWord(index, size)), "E_FORMAT", /tokenizer\.janus: expected/);
  }
});

test("another version is refused, and a wrong checksum, each by what was found", () => {
  refusedNow(() => compactLayout(withWord(2, 2)), "E_UNSUPPORTED", /expected version 1, got 2/);
  const file = Uint8Array.from(FILE);
  file[12] = file[12]! ^ 1;
  refusedNow(() => compactLayout(file), "E_INTEGRITY", /expected CRC-32 [0-9a-f]{8}, got [0-9a-f]{8}/);
});

test("it is told by its first bytes", () => {
  assert.ok(isCompact(FILE));
  for (const other of [FILE.subarray(1), FILE.subarray(0, 7), new Uint8Array()]) assert.not.ok(isCompact(other));
});

test.run();
