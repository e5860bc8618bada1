import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError } from "#dist/errors.js";
import type { Tensor } from "#dist/tensor.js";
import { encodeTensors } from "#dist/weights/encode-tensors.js";
import { refusedNow } from "../../support/refusal.js";
import { plainSafetensors } from "../../support/safetensors-bytes.js";

const test = suite("weights/encode-tensors");

const tensors: [string, Tensor][] = [
  ["mask", { type: "bool", dims: [3], data: Uint8Array.of(1, 0, 1) }],
  ["embeds", { type: "float32", dims: [1, 2], data: Float32Array.of(1, -2) }],
  ["pixels", { type: "uint8", dims: [2], data: Uint8Array.of(7, 255) }],
  ["ids", { type: "int64", dims: [2, 1], data: BigInt64Array.of(-1n, 2n ** 40n) }],
  ["none", { type: "float32", dims: [0, 4], data: new Float32Array(0) }],
  ["scalar", { type: "float32", dims: [], data: Float32Array.of(0.5) }],
];

test("the whole file: header padded to 8 bytes, wide types first, otherwise in the order given", () => {
  const encoded = encodeTensors(tensors, { metadata: { format: "pt" } });
  const file = Buffer.concat([...encoded]);
  assert.is(file.length, encoded.byteLength);
  const length = Number(file.readBigUInt64LE());
  assert.is(length % 8, 0);
  const header = JSON.parse(file.toString("utf8", 8, 8 + length));
  assert.equal(Object.entries(header), [
    ["__metadata__", { format: "pt" }],
    ["ids", { dtype: "I64", shape: [2, 1], data_offsets: [0, 16] }],
    ["embeds", { dtype: "F32", shape: [1, 2], data_offsets: [16, 24] }],
    ["none", { dtype: "F32", shape: [0, 4], data_offsets: [24, 24] }],
    ["scalar", { dtype: "F32", shape: [], data_offsets: [24, 28] }],
    ["mask", { dtype: "BOOL", shape: [3], data_offsets: [28, 31] }],
    ["pixels", { dtype: "U8", shape: [2], data_offsets: [31, 33] }],
  ]);
  const data = file.subarray(8 + length);
  assert.is(data.length, 33);
  assert.is(data.readBigInt64LE(0), -1n);
  assert.is(data.readBigInt64LE(8), 2n ** 40n);
  assert.equal([data.readFloatLE(16), data.readFloatLE(20), data.readFloatLE(24)], [1, -2, 0.5]);
  assert.equal([...data.subarray(28)], [1, 0, 1, 7, 255]);
});

test("bf16: every float32 tensor, and no other; the order stays", () => {
  const encoded = encodeTensors(tensors, { dtype: "bf16" });
  const file = encoded.toBytes();
  assert.is(file.length, encoded.byteLength);
  const read = [...plainSafetensors(file)].map(([name, { dtype, shape, data }]) => [name, dtype, shape, [...data]]);
  assert.equal(read, [
    ["ids", "I64", [2, 1], [...new Uint8Array(BigInt64Array.of(-1n, 2n ** 40n).buffer)]],
    ["embeds", "BF16", [1, 2], [0x80, 0x3f, 0x00, 0xc0]],
    ["none", "BF16", [0, 4], []],
    ["scalar", "BF16", [], [0x00, 0x3f]],
    ["mask", "BOOL", [3], [1, 0, 1]],
    ["pixels", "U8", [2], [7, 255]],
  ]);
});

test("a tensor that no file would hold as it is is refused, not dropped", () => {
  for (const [name, tensor, pattern] of [
    [
      "a",
      { type: "float16", dims: [1], data: new Uint16Array(1) },
      /expected the data of "a" to be int64 in a .*, got "float16" in/,
    ],
    ["a", { type: "int64", dims: [1], data: new Float32Array(1) }, /got "int64" in \[object Float32Array\]/],
    ["a", { type: "bool", dims: [1], data: Uint8Array.of(7) }, /to be 0 and 1/],
    ["a", null, /got undefined in/],
    ["a", { type: "float32", dims: null, data: new Float32Array(1) }, /to fill \[\]/],
    ["__metadata__", { type: "uint8", dims: [1], data: new Uint8Array(1) }, /another name/],
  ] as const) {
    refusedNow(() => encodeTensors([[name, tensor as unknown as Tensor]]), "E_SHAPE", pattern);
  }
});

test("a view into a larger buffer gives its own part, and nothing is copied", () => {
  const buffer = new ArrayBuffer(64);
  const data = new Float32Array(buffer, 16, 2);
  data.set([3, 4]);
  const [, chunk] = encodeTensors([["x", { type: "float32", dims: [2], data }]]);
  assert.is(chunk!.buffer, buffer);
  assert.equal([chunk!.byteOffset, chunk!.byteLength], [16, 8]);
});

test("data that does not fill its shape is E_SHAPE", () => {
  for (const dims of [[3], [], [2, 2], [2 ** 40, 2 ** 40]]) {
    assert.throws(
      () => encodeTensors([["x", { type: "float32", dims, data: new Float32Array(2) }]]),
      (error: unknown) => error instanceof JanusError && error.code === "E_SHAPE" && /"x".*got 2/.test(error.message),
    );
  }
});

test.run();
