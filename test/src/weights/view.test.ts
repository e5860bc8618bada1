import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { WeightSource } from "#dist/weights/source.js";
import { allocate, extentOf, readViewRows, rowMajor } from "#dist/weights/view.js";
import { MemorySource } from "../../support/memory-source.js";
import { refuses } from "../../support/refusal.js";

const test = suite("weights/view");

test("strides of a shape", () => {
  assert.equal(rowMajor([2, 3, 4]), [12, 4, 1]);
  assert.equal(rowMajor([]), []);
});

test("the extent of a view: from its first byte to its last, with what lies between", async () => {
  const extent = (shape: number[], strides: number[]) =>
    extentOf({ path: "f", itemBytes: 2, shape, strides, start: async () => 10 });
  assert.equal(await extent([3, 4], [4, 1]), { path: "f", begin: 10, end: 34 });
  assert.equal(await extent([4, 3], [1, 4]), { path: "f", begin: 10, end: 34 }, "transposed");
  assert.equal(await extent([2, 2], [8, 1]), { path: "f", begin: 10, end: 30 }, "with a gap");
  assert.equal(await extent([5], [0]), { path: "f", begin: 10, end: 12 }, "one element, repeated");
  assert.equal(await extent([], []), { path: "f", begin: 10, end: 12 });
  assert.equal(await extent([3, 0], [4, 1]), { path: "f", begin: 10, end: 10 });
});

/** Rows of a view, and the same by walking every index. */
async function both(
  shape: number[],
  strides: number[],
  first: number,
  count: number,
): Promise<[Uint8Array, Uint8Array]> {
  const itemBytes = 2;
  const offset = 3;
  const storage = Uint8Array.from({ length: 4096 }, (_, i) => (i * 37) & 255);
  const rowElements = shape.slice(1).reduce((product, dimension) => product * dimension, 1);
  const actual = new Uint8Array(count * rowElements * itemBytes);
  const view = { path: "f", itemBytes, shape, strides, start: async () => offset };
  await readViewRows(new MemorySource({ f: storage }), view, first, count, actual);
  const expected: number[] = [];
  const walk = (axis: number, at: number): void => {
    if (axis === shape.length) {
      expected.push(storage[offset + at * itemBytes]!, storage[offset + at * itemBytes + 1]!);
      return;
    }
    const [from, to] = axis === 0 ? [first, first + count] : [0, shape[axis]!];
    for (let i = from; i < to; i++) walk(axis + 1, at + i * strides[axis]!);
  };
  walk(0, 0);
  return [actual, Uint8Array.from(expected)];
}

test("any rows of any strided view are what its indices say", async () => {
  const axis = fc.record({ size: fc.integer({ min: 1, max: 5 }), stride: fc.integer({ min: 0, max: 60 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(axis, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(), async (axes, a, b) => {
      const shape = axes.map(({ size }) => size);
      const first = a % shape[0]!;
      const count = b % (shape[0]! - first + 1);
      const [actual, expected] = await both(
        shape,
        axes.map(({ stride }) => stride),
        first,
        count,
      );
      assert.equal(actual, expected);
    }),
    { numRuns: 1000, seed: 8 },
  );
});

test("row-major rows are one read, into place where the source can", async () => {
  const source = new MemorySource({ f: Uint8Array.from({ length: 100 }, (_, i) => i) });
  const view = { path: "f", itemBytes: 1, shape: [10, 3, 2], strides: [6, 2, 1], start: async () => 4 };
  const rows = new Uint8Array(12);
  await readViewRows(source, view, 2, 2, rows);
  assert.equal(source.reads, [{ path: "f", offset: 16, length: 12 }]);
  assert.is(rows[0], 16);
  const placed: WeightSource = Object.assign(new MemorySource({}), {
    readInto: async (_path: string, offset: number, target: Uint8Array) => {
      target.fill(offset);
    },
  });
  await readViewRows(placed, view, 2, 2, rows);
  assert.equal(rows, new Uint8Array(12).fill(16));
});

test("a view wider than a window is read in pieces, none beyond it", async () => {
  // 48 MB as [2, 3] elements of 2 bytes, 8 MB apart.
  const stride = 4 * 2 ** 20;
  const reads: number[] = [];
  const source: WeightSource = {
    label: "computed",
    size: async () => 6 * 2 * stride,
    read: async (_path, offset, length) => {
      reads.push(length);
      assert.is(offset % (2 * stride), 0);
      return Uint8Array.from({ length }, (_, i) => (i % (2 * stride) === 0 ? (offset + i) / (2 * stride) : 255));
    },
  };
  const rows = new Uint8Array(12);
  const view = { path: "f", itemBytes: 2, shape: [2, 3], strides: [stride, 2 * stride], start: async () => 0 };
  await readViewRows(source, view, 0, 2, rows);
  assert.equal(
    [0, 2, 4, 6, 8, 10].map((i) => rows[i]),
    [0, 2, 4, 1, 3, 5],
  );
  assert.ok(Math.max(...reads) <= 16 * 2 ** 20, `${reads}`);
});

test("memory that is not there is E_OOM", () =>
  refuses(() => allocate(2 ** 52, "w"), "E_OOM", /4503599627370496 bytes/));

test.run();
