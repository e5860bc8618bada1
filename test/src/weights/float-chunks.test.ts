import { suite } from "uvu";
import * as assert from "uvu/assert";
import { floatBytes, floatChunks } from "#dist/weights/float-chunks.js";
import { narrowBF16 } from "#dist/weights/narrow.js";
import { randomF32 } from "../../support/elements.js";

const test = suite("weights/float-chunks");

test("fp32: a view of every part, nothing copied", () => {
  const data = randomF32(10, 1);
  const parts = [data.subarray(2, 4), data.subarray(7)] as Float32Array<ArrayBuffer>[];
  const chunks = [...floatChunks(parts, "fp32")];
  assert.equal(
    chunks.map(({ buffer, byteOffset, byteLength }) => [buffer === data.buffer, byteOffset, byteLength]),
    [
      [true, 8, 8],
      [true, 28, 12],
    ],
  );
});

test("bf16: pieces in memory of their own, none longer than 2 MB, together the narrowed parts", () => {
  const [long, short] = [randomF32(2 ** 21 + 3, 2), randomF32(5, 3)] as Float32Array<ArrayBuffer>[];
  const chunks = [...floatChunks([long!, new Float32Array(0), short!], "bf16")];
  assert.equal(
    chunks.map(({ byteLength }) => byteLength),
    [2 ** 21, 2 ** 21, 6, 10],
  );
  assert.is(new Set(chunks.map(({ buffer }) => buffer)).size, 4);
  const expected = Buffer.concat([long!, short!].map((part) => new Uint8Array(narrowBF16(part).buffer)));
  assert.ok(Buffer.concat(chunks).equals(expected));
});

test("bytes of an element", () => {
  assert.equal([floatBytes("fp32"), floatBytes("bf16")], [4, 2]);
});

test.run();
