import { suite } from "uvu";
import * as assert from "uvu/assert";
import { unpadded } from "#dist/entry/unpadded.js";
import type { Tensor } from "#dist/tensor.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("entry/unpadded");

const embeds = (...dims: number[]): Tensor<"float32"> => ({
  type: "float32",
  dims,
  data: Float32Array.from({ length: dims.reduce((product, d) => product * d, 1) }, (_, i) => i),
});
const mask = (dims: number[], ...bits: number[]): Tensor<"int64"> => ({
  type: "int64",
  dims,
  data: BigInt64Array.from(bits, BigInt),
});
const rows = (inputsEmbeds: Tensor<"float32">, attentionMask?: Tensor<"int64">) =>
  unpadded("test", { inputsEmbeds, attentionMask }).map(({ dims, parts }) => [
    dims,
    parts.flatMap((part) => [...part]),
    parts.length,
  ]);

test("left padding goes, a row without it stays whole; nothing is copied", () => {
  const batch = embeds(2, 3, 2);
  assert.equal(rows(batch, mask([2, 3], 0, 1, 1, 1, 1, 1)), [
    [[2, 2], [2, 3, 4, 5], 1],
    [[3, 2], [6, 7, 8, 9, 10, 11], 1],
  ]);
  const [first] = unpadded("test", { inputsEmbeds: batch, attentionMask: mask([2, 3], 0, 1, 1, 1, 1, 1) });
  assert.is(first!.parts[0]!.buffer, batch.data.buffer);
});

test("padding on the right, in between, and everywhere; runs of two rows do not join", () => {
  assert.equal(rows(embeds(4, 3, 1), mask([4, 3], 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1)), [
    [[2, 1], [0, 1], 1],
    [[2, 1], [3, 5], 2],
    [[0, 1], [], 0],
    [[1, 1], [11], 1],
  ]);
});

test("without a mask nothing is padding; [T,D] is one row", () => {
  assert.equal(rows(embeds(2, 1, 2)), [
    [[1, 2], [0, 1], 1],
    [[1, 2], [2, 3], 1],
  ]);
  assert.equal(rows(embeds(3, 1)), [[[3, 1], [0, 1, 2], 1]]);
  assert.equal(rows(embeds(3, 1), mask([3], 0, 1, 1)), [[[2, 1], [1, 2], 1]]);
});

test("no row, no position, no column", () => {
  assert.equal(rows(embeds(0, 5, 2), mask([0, 5])), []);
  assert.equal(rows(embeds(1, 0, 2), mask([1, 0])), [[[0, 2], [], 0]]);
  assert.equal(rows(embeds(1, 2, 0), mask([1, 2], 0, 1)), [[[1, 0], [], 1]]);
});

test("other embeddings and other masks are E_SHAPE of an input", () => {
  const batch = embeds(2, 3, 2);
  const ids = { type: "int64", dims: [2, 3], data: new BigInt64Array(6) } as unknown as Tensor<"float32">;
  for (const [inputsEmbeds, attentionMask, message] of [
    [embeds(4), undefined, /inputs_embeds must be float32 \[\*, \*, \*\], got float32 \[4\]/],
    [{ ...batch, dims: [2, 3, 3] }, undefined, /got float32 data of 12 elements/],
    [ids, undefined, /inputs_embeds must be float32/],
    [undefined, undefined, /inputs_embeds must be float32/],
    [
      batch,
      mask([2, 4], 1, 1, 1, 1, 1, 1, 1, 1),
      /attention_mask must be int64 \[2, 3\], as inputs_embeds, got \[2, 4\]/,
    ],
    [batch, mask([2, 3], 1, 1), /attention_mask must be int64 \[2, 3\]/],
    [batch, embeds(2, 3), /got "float32" \[2, 3\]/],
    [batch, null, /attention_mask must be int64/],
    [batch, mask([2, 3], 1, 1, 1, 1, 2, 1), /attention_mask must be 0 and 1, got 2/],
    [batch, mask([2, 3], 1, 1, 1, 1, -1, 1), /must be 0 and 1, got -1/],
  ] as const) {
    const sequences = { inputsEmbeds, attentionMask } as unknown as Parameters<typeof unpadded>[1];
    assert.is(refusedNow(() => unpadded("test", sequences), "E_SHAPE", message).origin, "input");
  }
});

test.run();
