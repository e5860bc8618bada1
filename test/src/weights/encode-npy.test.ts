import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeNpy } from "#dist/weights/encode-npy.js";

const test = suite("weights/encode-npy");

test("magic, version, a header in Python's words that ends at byte 128, then the rows", () => {
  const data = Float32Array.of(9, 1, -2, 0.5, 3, 4, 5, 9);
  const encoded = encodeNpy({ dims: [2, 3], parts: [data.subarray(1, 4), data.subarray(4, 7)] });
  const file = Buffer.from(encoded.toBytes());
  assert.is(file.length, encoded.byteLength);
  assert.is(file.toString("latin1", 0, 8), "\u0093NUMPY\u0001\u0000");
  assert.is(file.readUInt16LE(8), 118);
  const header = file.toString("latin1", 10, 128);
  assert.is(header.trimEnd(), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  assert.match(header, / {2,}\n$/);
  assert.equal(
    Array.from({ length: 6 }, (_, i) => file.readFloatLE(128 + 4 * i)),
    [1, -2, 0.5, 3, 4, 5],
  );
  assert.is(file.length, 152);
});

test("no row, no column, and the longest dims keep their header", () => {
  for (const dims of [
    [0, 128],
    [3, 0],
  ] as const) {
    const file = Buffer.from(encodeNpy({ dims, parts: [] }).toBytes());
    assert.is(file.length, 128);
    assert.match(file.toString("latin1"), new RegExp(`'shape': \\(${dims[0]}, ${dims[1]}\\), } *\n$`));
  }
  const [header] = encodeNpy({ dims: [2 ** 53 - 1, 2 ** 53 - 1], parts: [] });
  assert.is(header!.length, 128);
  assert.match(Buffer.from(header!).toString("latin1"), /\(9007199254740991, 9007199254740991\), } *\n$/);
});

test.run();
