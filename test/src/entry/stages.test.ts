/** Chunks and their borders with an engine in this thread; over real workers see janus.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Engine } from "#dist/entry/engine.js";
import type { OpenModel } from "#dist/entry/load.js";
import { openModel } from "#dist/entry/load.js";
import type { GatherInput, GatherOwn, ScatterInput, ScatterOwn } from "#dist/entry/programs.js";
import { checkFinite, checkFloats, embedTokenIds, fuseRows, stack, zeros } from "#dist/entry/stages.js";
import type { Tensor } from "#dist/tensor.js";
import { towerFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { ODD_TOWER } from "../../support/model-config.js";
import { assertSameBits, random } from "../../support/numbers.js";
import { refusedNow } from "../../support/refusal.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/stages");

const { dim } = ODD_TOWER;
const TOKENS = 9;

/** Gathers and scatters plainly, and notes how many rows it was given at a time. */
function plainEngine() {
  const chunks: number[] = [];
  const engine = {
    async embedTokens({ rows, distinct }: GatherInput, { table, index }: GatherOwn) {
      chunks.push(rows);
      assert.is(table.length, distinct * dim * 4, "the distinct rows alone");
      const values = new Float32Array(table.buffer);
      const embeds = new Float32Array(rows * dim);
      index.forEach((row, at) => {
        embeds.set(values.subarray(row * dim, (row + 1) * dim), at * dim);
      });
      return { embeds, bad: 0 };
    },
    async fuse({ rows, sources }: ScatterInput, { text, source, index }: ScatterOwn) {
      chunks.push(rows);
      assert.equal([text.length, source.length, index.length], [rows * dim, sources * dim, sources]);
      index.forEach((row, k) => {
        text.set(source.subarray(k * dim, (k + 1) * dim), row * dim);
      });
      return text;
    },
  };
  return { engine: engine as unknown as Engine, chunks };
}

async function model(reads: [number, number][] = []): Promise<OpenModel> {
  const opened = await openModel(memorySource(towerFiles(ODD_TOWER, 5000)));
  const { checkpoint } = opened;
  return {
    ...opened,
    checkpoint: {
      ...checkpoint,
      readRows: (tensor, first, count, signal) => {
        reads.push([first, count]);
        return checkpoint.readRows(tensor, first, count, signal);
      },
    },
  };
}

function ids(values: readonly number[], dims: readonly number[] = [1, values.length]): Tensor<"int64"> {
  return { type: "int64", dims, data: BigInt64Array.from(values, BigInt) };
}

test("token rows in chunks of 1024, whatever the batch", async () => {
  const opened = await model();
  for (const [rows, expected] of [
    [0, []],
    [1, [1]],
    [1024, [1024]],
    [1025, [1024, 1]],
    [3000, [1024, 1024, 952]],
  ] as const) {
    const { engine, chunks } = plainEngine();
    const values = Array.from({ length: rows }, (_, i) => (i * 977) % 5000);
    const text = await embedTokenIds(engine, opened, ids(values));
    assert.equal(chunks, expected);
    assert.equal(text.dims, [1, rows, dim]);
    const bytes = await opened.checkpoint.readRows(opened.embedTokens, 0, 5000);
    const table = new Float32Array(bytes.slice().buffer);
    values.forEach((row, at) => {
      assertSameBits(text.data.subarray(at * dim, (at + 1) * dim), table.subarray(row * dim, (row + 1) * dim));
    });
  }
});

test("the table is read by the rows of the prompt, never whole", async () => {
  const reads: [number, number][] = [];
  const { engine } = plainEngine();
  await embedTokenIds(engine, await model(reads), ids([4000, 7, 4001, 7, 3], [5, 1]));
  // Rows of 28 bytes that are up to 16 KB apart come together.
  assert.equal(reads, [
    [3, 5],
    [4000, 2],
  ]);
});

test("a read that fails, and an abort, reach the caller", async () => {
  const { engine } = plainEngine();
  const opened = await model();
  const broken = new Error("the disk broke");
  const failing = { ...opened, checkpoint: { ...opened.checkpoint, readRows: () => Promise.reject(broken) } };
  assert.is(await rejection(embedTokenIds(engine, failing, ids([1]))), broken);
});

test("features go to their slots, on both sides of every chunk's border; the text stays as it was", async () => {
  const { engine, chunks } = plainEngine();
  const rows = 4 * 1024;
  const text: Tensor<"float32"> = { type: "float32", dims: [4, 1024, dim], data: random(rows * dim, 1) };
  const before = text.data.slice();
  const embeds = random(2 * TOKENS * dim, 2);
  // Images 1 and 4 of the mask are in use, given as the first and the second.
  const slots = Int32Array.from([0, 1023, 1024, 2047, 4095]);
  const features = Int32Array.from([1, 2, 8, 0, 5].map((p, k) => (k < 3 ? 1 : 4) * TOKENS + p));
  const fused = await fuseRows(engine, text, embeds, { slots, features, images: [1, 4] }, TOKENS);
  const expected = before.slice();
  [1, 2, 8, TOKENS, TOKENS + 5].forEach((row, k) => {
    expected.set(embeds.subarray(row * dim, (row + 1) * dim), slots[k]! * dim);
  });
  assertSameBits(fused.data, expected);
  assert.equal(fused.dims, [4, 1024, dim]);
  assertSameBits(text.data, before);
  assert.equal(chunks, [1024, 1024, 1024], "the third chunk has no slot and stays where it is");
});

test("nothing to fuse is a copy", async () => {
  const { engine, chunks } = plainEngine();
  const text: Tensor<"float32"> = { type: "float32", dims: [1, 2, dim], data: random(2 * dim, 1) };
  const none = { slots: new Int32Array(0), features: new Int32Array(0), images: [] };
  const fused = await fuseRows(engine, text, new Float32Array(0), none, TOKENS);
  assert.equal([fused, chunks], [text, []]);
  assert.is.not(fused.data.buffer, text.data.buffer);
});

test("what no host can hold is E_OOM by name, zeros are zeros", () => {
  assert.equal(zeros("x", [2, 0, 3]), { type: "float32", dims: [2, 0, 3], data: new Float32Array(0) });
  assert.equal([...zeros("x", [1, 3]).data], [0, 0, 0]);
  for (const dims of [
    [2 ** 20, 2 ** 20],
    [2 ** 40, 2 ** 40],
    [2 ** 31, 1, 3, 384, 384],
  ]) {
    refusedNow(
      () => zeros("pixel_values", dims),
      "E_OOM",
      /^allocating pixel_values: expected memory for float32 \[\d/,
    );
  }
});

test("parts are stacked in order", () => {
  const parts = [Float32Array.from([1, 2]), Float32Array.from([3, 4])];
  assert.equal(stack("x", parts, [2, 2]), { type: "float32", dims: [2, 2], data: Float32Array.from([1, 2, 3, 4]) });
  assert.is(stack("x", [], [0, 2]).data.length, 0);
});

test("shapes: a null matches any size, everything else must be as said", () => {
  const tensor = (dims: readonly number[], data = new Float32Array(6)): Tensor<"float32"> => ({
    type: "float32",
    dims,
    data,
  });
  assert.not.throws(() => checkFloats("run", "x", tensor([2, 3]), [null, 3]));
  assert.not.throws(() => checkFloats("run", "x", tensor([0, 3], new Float32Array(0)), [null, 3]));
  for (const [wrong, message] of [
    [tensor([3, 2]), /^run: x must be float32 \[\*, 3\], got float32 \[3, 2\]$/],
    [tensor([6]), /got float32 \[6\]$/],
    [tensor([2, 3], new Float32Array(7)), /got float32 data of 7 elements$/],
    [tensor([-2, 3]), /got float32 data of 6 elements$/],
    [{ ...tensor([2, 3]), type: "int64" }, /got int64 data of 6 elements$/],
    [undefined, /got undefined \[\]$/],
  ] as const) {
    refusedNow(() => checkFloats("run", "x", wrong as Tensor<"float32">, [null, 3]), "E_SHAPE", message);
  }
});

test("finite numbers: every one is looked at", () => {
  assert.not.throws(() => checkFinite("run", "x", Float32Array.from([0, -0, 3.4e38, 1e-45])));
  assert.not.throws(() => checkFinite("run", "x", new Float32Array(0)));
  for (const [bad, at] of [
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 7],
    [Number.NEGATIVE_INFINITY, 99],
  ] as const) {
    const data = random(100, 1);
    data[at] = bad;
    refusedNow(
      () => checkFinite("run", "x", data),
      "E_NUMERIC",
      new RegExp(`^run: x must be finite, got ${bad} at index ${at}$`),
    );
  }
});

test.run();
