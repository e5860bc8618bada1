/** The rules of the masks, by their numbers in the list of hostile inputs; the recorded cases are run by test/acceptance/fuse.test.ts. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pairSlots } from "#dist/model/fusion.js";
import type { Tensor } from "#dist/tensor.js";
import { golden } from "../../support/paths.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("model/fusion");

/** Features of one image. */
const P = 3;

function ids(...dims: number[]): Tensor<"int64"> {
  return { type: "int64", dims, data: new BigInt64Array(dims.reduce((a, b) => a * b, 1)) };
}

function mask(dims: readonly number[], values: readonly number[]): Tensor<"bool"> {
  return { type: "bool", dims, data: Uint8Array.from(values) };
}

function refused(seq: Tensor<"bool">, emb: Tensor<"bool">, pattern: RegExp, tokens = P): void {
  refusedNow(() => pairSlots(ids(...seq.dims), seq, emb, tokens), "E_PROMPT", pattern);
}

test("the k-th slot of a row takes the k-th feature of the row's images", () => {
  const seq = mask([2, 5], [0, 1, 0, 1, 1, 1, 1, 1, 0, 0]);
  const emb = mask([2, 2, P], [0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0]);
  const { slots, features, images } = pairSlots(ids(2, 5), seq, emb, P);
  assert.equal([...slots], [1, 3, 4, 5, 6, 7]);
  assert.equal([...features], [3, 4, 5, 6, 8, 10]);
  assert.equal(images, [1, 2, 3], "the first image is used by nobody");
});

test("no slot and no feature: nothing to pair, whatever the shapes", () => {
  for (const [seq, emb] of [
    [mask([1, 4], [0, 0, 0, 0]), mask([1, 1, P], [0, 0, 0])],
    [mask([1, 4], [0, 0, 0, 0]), mask([1, 0, P], [])],
    [mask([2, 1], [0, 0]), mask([7], [0, 0, 0, 0, 0, 0, 0])],
    [mask([0, 0], []), mask([0, 1, P], [])],
  ] as const) {
    assert.equal(pairSlots(ids(1, 4), seq, emb, P), {
      slots: new Int32Array(0),
      features: new Int32Array(0),
      images: [],
    });
  }
});

test("P08 images_seq_mask of another length than the ids", () => {
  for (const dims of [[1, 3], [1, 5], [2, 2], [4], [1, 1, 4]]) {
    const seq = mask(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 1),
    );
    const call = (): unknown => pairSlots(ids(1, 4), seq, mask([1, 1, P], [1, 1, 1]), P);
    refusedNow(call, "E_PROMPT", new RegExp(`must be \\[1, 4\\] like input_ids, got \\[${dims.join(", ")}\\]`));
  }
});

test("P09 more or fewer slots than features, both counts are said", () => {
  for (const [slots, features] of [
    [6, 3],
    [3, 6],
    [3, 0],
    [0, 3],
    [1, 3],
  ] as const) {
    const seq = mask(
      [1, 7],
      Array.from({ length: 7 }, (_, t) => Number(t < slots)),
    );
    const emb = mask(
      [1, 2, P],
      Array.from({ length: 6 }, (_, f) => Number(f < features)),
    );
    refused(seq, emb, new RegExp(`row 0 has ${slots} image slots .* but ${features} image features`));
  }
});

test("P10 a partly false images_emb_mask pairs by its true elements, and its counts must agree", () => {
  const emb = mask([1, 1, P], [1, 0, 1]);
  const { slots, features, images } = pairSlots(ids(1, 4), mask([1, 4], [0, 1, 0, 1]), emb, P);
  assert.equal([[...slots], [...features], images], [[1, 3], [0, 2], [0]]);
  refused(mask([1, 4], [1, 1, 1, 0]), emb, /row 0 has 3 image slots .* but 2 image features/);
});

test("P11 masks that are not 0 and 1, or not masks", () => {
  const seq = mask([1, 4], [1, 1, 1, 0]);
  const emb = mask([1, 1, P], [1, 1, 1]);
  refused(mask([1, 4], [1, 2, 1, 0]), emb, /images_seq_mask must hold 0 and 1 only, got 2 at index 1/);
  refused(seq, mask([1, 1, P], [1, 1, 255]), /images_emb_mask must hold 0 and 1 only, got 255 at index 2/);
  for (const odd of [
    undefined,
    null,
    {},
    { ...seq, type: "uint8" },
    { ...seq, data: [1, 1, 1, 0] },
    { ...seq, data: new Uint8Array(5) },
    { ...seq, data: new Uint8ClampedArray(4) },
    { ...seq, dims: [2, 4] },
    { ...seq, dims: [-1, -4] },
    { ...seq, dims: [0.5, 8] },
  ]) {
    const call = (which: number) => () =>
      pairSlots(ids(1, 4), which === 0 ? (odd as typeof seq) : seq, which === 1 ? (odd as typeof emb) : emb, P);
    refusedNow(call(0), "E_PROMPT", /images_seq_mask must be a bool tensor/);
    refusedNow(call(1), "E_PROMPT", /images_emb_mask must be a bool tensor/);
  }
});

test("P13 one slot too few or too many for a whole image", () => {
  const tokens = 576;
  const emb = mask([1, 1, tokens], Array(tokens).fill(1));
  for (const slots of [575, 577]) {
    const seq = mask([1, 600], [...Array(slots).fill(1), ...Array(600 - slots).fill(0)]);
    refused(seq, emb, new RegExp(`${slots} image slots .* but 576 image features`), tokens);
  }
  const seq = mask([1, 600], [...Array(576).fill(1), ...Array(24).fill(0)]);
  assert.is(pairSlots(ids(1, 600), seq, emb, tokens).slots.length, 576);
});

test("counts must agree row by row, not only altogether: no feature slips into another row", () => {
  const seq = mask([2, 3], [1, 1, 1, 0, 0, 0]);
  refused(seq, mask([2, 1, P], [0, 0, 0, 1, 1, 1]), /row 0 has 3 image slots .* but 0 image features/);
  const second = mask([2, 3], [1, 1, 0, 1, 1, 1]);
  refused(second, mask([2, 1, P], [1, 1, 0, 1, 1, 0]), /row 1 has 3 image slots .* but 2 image features/);
});

test("images_emb_mask of other images or features than the batch has", () => {
  const seq = mask([1, 4], [1, 1, 1, 0]);
  for (const dims of [[1, 1, 4], [2, 1, P], [1, P], [P], [1, 1, 1, P]]) {
    const emb = mask(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 1),
    );
    refused(seq, emb, new RegExp(`images_emb_mask must be \\[1, N, 3\\], got \\[${dims.join(", ")}\\]`));
  }
});

test("the recorded cases pair as recorded: slots and features that the reference assigns", () => {
  interface Recorded {
    readonly shape: number[];
    readonly data: number[];
  }
  const { cases } = JSON.parse(readFileSync(golden("fuse/cases.json"), "utf8")) as {
    cases: {
      name: string;
      expected: string;
      input_ids: Recorded;
      images_seq_mask: Recorded;
      images_emb_mask: Recorded;
    }[];
  };
  const trues = (data: readonly number[]): number[] => data.flatMap((value, at) => (value === 1 ? [at] : []));
  let fused = 0;
  for (const c of cases) {
    if (c.expected !== "fused") continue;
    const [seq, emb] = [c.images_seq_mask, c.images_emb_mask];
    const pairing = pairSlots(ids(...c.input_ids.shape), mask(seq.shape, seq.data), mask(emb.shape, emb.data), P);
    assert.equal([...pairing.slots], trues(seq.data), c.name);
    assert.equal([...pairing.features], trues(emb.data), c.name);
    assert.equal(pairing.images, [...new Set(trues(emb.data).map((f) => Math.floor(f / P)))], c.name);
    fused++;
  }
  assert.ok(fused >= 16);
});

test.run();
