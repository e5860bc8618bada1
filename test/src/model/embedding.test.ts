import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTableRows } from "#dist/model/embedding.js";
import { rejection } from "../../support/waiting.js";

const test = suite("model/embedding");

interface Read {
  readonly first: number;
  readonly count: number;
}

/** A table whose row r is filled with r, and what was read of it. */
function table(rowBytes: number, delay = async (_read: number): Promise<void> => {}) {
  const reads: Read[] = [];
  let under = 0;
  let most = 0;
  const read = async (first: number, count: number): Promise<Uint8Array> => {
    reads.push({ first, count });
    most = Math.max(most, ++under);
    try {
      await delay(reads.length - 1);
    } finally {
      under--;
    }
    return Uint8Array.from({ length: count * rowBytes }, (_, i) => (first + Math.floor(i / rowBytes)) % 256);
  };
  return { read, reads, most: () => most };
}

function check(rows: Uint8Array, distinct: readonly number[], rowBytes: number): void {
  assert.is(rows.length, distinct.length * rowBytes);
  distinct.forEach((row, at) => {
    const bytes = rows.subarray(at * rowBytes, (at + 1) * rowBytes);
    assert.ok(
      bytes.every((byte) => byte === row % 256),
      `row ${row} at ${at}`,
    );
  });
}

const KB = 1 << 10;

test("rows up to 16 KB apart come in one read, others do not", async () => {
  const { read, reads } = table(4 * KB);
  const distinct = [3, 4, 9, 15, 16];
  check(await readTableRows(read, distinct, 4 * KB), distinct, 4 * KB);
  // Between 4 and 9 lie four rows, 16 KB; between 9 and 15 five.
  assert.equal(reads, [
    { first: 3, count: 7 },
    { first: 15, count: 2 },
  ]);
});

test("no read is longer than 1 MB", async () => {
  const { read, reads } = table(4 * KB);
  const distinct = Array.from({ length: 700 }, (_, row) => row);
  check(await readTableRows(read, distinct, 4 * KB), distinct, 4 * KB);
  assert.equal(reads, [
    { first: 0, count: 256 },
    { first: 256, count: 256 },
    { first: 512, count: 188 },
  ]);
});

test("rows wider than a gap, or than a whole read, come one by one", async () => {
  for (const rowBytes of [17 * KB, 2 << 20]) {
    const { read, reads } = table(rowBytes);
    check(await readTableRows(read, [1, 3, 4], rowBytes), [1, 3, 4], rowBytes);
    assert.equal(
      reads.map(({ count }) => count),
      rowBytes === 17 * KB ? [1, 2] : [1, 1, 1],
    );
  }
});

test("no rows, no read", async () => {
  const { read, reads } = table(8);
  assert.is((await readTableRows(read, [], 8)).length, 0);
  assert.equal(reads, []);
});

test("sixteen reads at a time, and each row in its place whatever order they end in", async () => {
  const late = (at: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, (at * 7) % 11));
  const { read, reads, most } = table(16 * KB, late);
  const distinct = Array.from({ length: 50 }, (_, i) => i * 10);
  check(await readTableRows(read, distinct, 16 * KB), distinct, 16 * KB);
  assert.is(reads.length, 50);
  assert.is(most(), 16);
});

test("the first error arrives, and nothing more is read", async () => {
  const broken = new Error("the disk broke");
  const { read, reads } = table(16 * KB, async (at) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (at === 3) throw broken;
  });
  const distinct = Array.from({ length: 200 }, (_, i) => i * 10);
  assert.is(await rejection(readTableRows(read, distinct, 16 * KB)), broken);
  const soFar = reads.length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.ok(soFar < 32 && reads.length <= 32, `${soFar}, then ${reads.length} of 200`);
  const settled = reads.length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.is(reads.length, settled);
});

test("the signal is handed to every read, and an abort is the reader's reason", async () => {
  const controller = new AbortController();
  const signals: (AbortSignal | undefined)[] = [];
  const read = async (first: number, count: number, signal?: AbortSignal): Promise<Uint8Array> => {
    signals.push(signal);
    if (first === 20) controller.abort("enough");
    signal?.throwIfAborted();
    return new Uint8Array(count);
  };
  const distinct = Array.from({ length: 100 }, (_, i) => i * 20_000 + 20);
  assert.is(await rejection(readTableRows(read, distinct, 1, controller.signal)), "enough");
  assert.ok(signals.length > 0 && signals.every((signal) => signal === controller.signal));
  assert.ok(signals.length <= 16);
});

test.run();
