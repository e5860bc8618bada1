import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkSequence, distinctRows, tokenRows } from "#dist/model/token-ids.js";
import type { Tensor } from "#dist/tensor.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("model/token-ids");

const ROWS = 608;

function ids(...values: (number | bigint)[]): Tensor<"int64"> {
  return { type: "int64", dims: [1, values.length], data: BigInt64Array.from(values, BigInt) };
}

test("ids are rows of the table", () => {
  assert.equal([...tokenRows(ids(0, 607, 5, 5), ROWS)], [0, 607, 5, 5]);
  assert.equal([...tokenRows({ type: "int64", dims: [0, 0], data: new BigInt64Array(0) }, ROWS)], []);
});

test("P07 negative ids read as 0, and the caller's array stays as it is", () => {
  const given = ids(-1, -(2n ** 63n), 3, -100);
  assert.equal([...tokenRows(given, ROWS)], [0, 0, 3, 0]);
  assert.equal([...given.data], [-1n, -(2n ** 63n), 3n, -100n]);
});

test("P07 ids beyond the table, with index and rows", () => {
  for (const id of [608n, 609n, 2n ** 31n, 2n ** 32n, 2n ** 63n - 1n]) {
    refusedNow(() => tokenRows(ids(1, id), ROWS), "E_PROMPT", new RegExp(`id ${id} at index 1 .* has 608 rows`));
  }
});

test("P07 ids of another type", () => {
  const data = new BigInt64Array(2);
  for (const odd of [
    undefined,
    null,
    {},
    { type: "float32", dims: [1, 2], data: Float32Array.from([1, Number.NaN]) },
    { type: "int64", dims: [1, 2], data: Int32Array.from([1, 2]) },
    { type: "int64", dims: [1, 2], data: [1n, 2n] },
    { type: "int64", dims: [1, 2], data: BigUint64Array.from([1n, 2n]) },
    { type: "int32", dims: [1, 2], data },
  ]) {
    refusedNow(() => tokenRows(odd as Tensor<"int64">, ROWS), "E_PROMPT", /input_ids must be an int64 tensor/);
  }
});

test("P08 ids whose data does not fill [B, T]", () => {
  const data = new BigInt64Array(6);
  for (const dims of [[6], [1, 2, 3], [], [2, 2], [3, 3], [-2, -3], [1.5, 4]]) {
    refusedNow(
      () => tokenRows({ type: "int64", dims, data }, ROWS),
      "E_PROMPT",
      /\[B, T\] .* got dims \[.*\] and 6 el/,
    );
  }
});

test("a sequence as long as the model takes, and one longer", () => {
  assert.not.throws(() => checkSequence(ids(...Array(64).fill(1)), ROWS, 64));
  refusedNow(
    () => checkSequence(ids(...Array(65).fill(1)), ROWS, 64),
    "E_PROMPT",
    /at most 64 positions long \(max_position_embeddings\), got 65/,
  );
  refusedNow(() => checkSequence(ids(608), ROWS, 64), "E_PROMPT", /id 608/);
  const batch: Tensor<"int64"> = { type: "int64", dims: [3, 60], data: new BigInt64Array(180) };
  assert.not.throws(() => checkSequence(batch, ROWS, 64), "a batch is as long as its rows");
});

test("distinct rows ascend, and the index leads back", () => {
  const rows = Int32Array.from([7, 3, 7, 0, 607, 3]);
  const { distinct, index } = distinctRows(rows);
  assert.equal(distinct, [0, 3, 7, 607]);
  assert.equal(
    [...index].map((at) => distinct[at]),
    [...rows],
  );
  assert.equal(distinctRows(new Int32Array(0)), { distinct: [], index: new Int32Array(0) });
});

test("numbers are sorted as numbers", () => {
  assert.equal(distinctRows(Int32Array.from([10, 9, 100])).distinct, [9, 10, 100]);
});

test.run();
