/** Chunks and their borders with an engine in this thread; over real workers see janus.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Engine } from "#dist/entry/engine.js";
import type { OpenModel } from "#dist/entry/load.js";
import { openModel } from "#dist/entry/load.js";
import type { GatherInput, GatherOwn, ScatterInput, ScatterOwn } from "#dist/entry/programs.js";
import { embedTokenIds, fuseRows } from "#dist/entry/stages.js";
import type { Tensor } from "#dist/tensor.js";
import { towerFiles } from "../../support/checkpoint-files.js";
import { memorySource } from "../../support/fuse-checkpoint.js";
import { ODD_TOWER } from "../../support/model-config.js";
import { assertSameBits, random } from "../../support/numbers.js";
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

test.run();
