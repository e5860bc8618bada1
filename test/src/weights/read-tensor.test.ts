import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "#dist/tensor.js";
import { readTensor, readTorchTensor } from "#dist/weights/read-tensor.js";
import { parseSafetensors } from "#dist/weights/safetensors.js";
import { parseTorchInputs } from "#dist/weights/torch.js";
import { MemorySource } from "../../support/memory-source.js";
import { refuses } from "../../support/refusal.js";
import { safetensorsBytes } from "../../support/safetensors-bytes.js";
import { dictPickle, type MadeTensor, tensorPickle, torchBytes } from "../../support/torch-bytes.js";

const test = suite("weights/read-tensor");

/** One tensor behind a header of odd length and a byte of another tensor, so that its data is aligned to nothing. */
async function read(dtype: string, shape: number[], data: ArrayBufferView): Promise<Tensor> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const header = JSON.stringify({
    x: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
    t: { dtype, shape, data_offsets: [1, 1 + bytes.length] },
  });
  const odd = header.length % 2 === 0 ? `${header} ` : header;
  const source = new MemorySource({ f: safetensorsBytes(odd, Uint8Array.of(7, ...bytes)) });
  const { tensors } = await parseSafetensors(source, "f");
  return readTensor(source, "f", tensors.get("t")!);
}

test("dtypes of inputs arrive as the types of Tensor", async () => {
  assert.equal(await read("F32", [2, 1], Float32Array.of(1.5, -0)), {
    type: "float32",
    dims: [2, 1],
    data: Float32Array.of(1.5, -0),
  });
  assert.equal(await read("I64", [2], BigInt64Array.of(-100n, 2n ** 62n)), {
    type: "int64",
    dims: [2],
    data: BigInt64Array.of(-100n, 2n ** 62n),
  });
  assert.equal((await read("I32", [2], Int32Array.of(-1, 7))).data, BigInt64Array.of(-1n, 7n));
  assert.equal((await read("U8", [2], Uint8Array.of(0, 255))).data, Uint8Array.of(0, 255));
  assert.equal(await read("BOOL", [1, 2], Uint8Array.of(0, 1)), {
    type: "bool",
    dims: [1, 2],
    data: Uint8Array.of(0, 1),
  });
  assert.equal((await read("BF16", [2], Uint16Array.of(0x3f80, 0xc040))).data, Float32Array.of(1, -3));
  assert.equal((await read("F16", [2], Uint16Array.of(0x3c00, 0x0001))).data, Float32Array.of(1, 2 ** -24));
});

test("rank 0 and no element", async () => {
  assert.equal((await read("F32", [], Float32Array.of(2))).dims, []);
  assert.is((await read("I64", [0, 5], new BigInt64Array(0))).data.length, 0);
});

/** A tensor over a storage of torch.save. */
async function readTorch(tensor: MadeTensor, storage: ArrayBufferView): Promise<Tensor> {
  const bytes = new Uint8Array(storage.buffer, storage.byteOffset, storage.byteLength);
  const source = new MemorySource({ f: torchBytes(dictPickle({ t: tensorPickle(tensor) }), { 0: bytes }) });
  return readTorchTensor(source, "f", (await parseTorchInputs(source, "f")).get("t")!);
}

test("of torch.save: transposed, broadcast, from the middle of a storage, and of no dimension", async () => {
  const six = Int32Array.of(1, 2, 3, 4, 5, 6);
  const ints = { type: "IntStorage", elements: 6 };
  assert.equal(await readTorch({ ...ints, shape: [3, 2], strides: [1, 3] }, six), {
    type: "int64",
    dims: [3, 2],
    data: BigInt64Array.of(1n, 4n, 2n, 5n, 3n, 6n),
  });
  const repeated = { ...ints, shape: [2, 2], strides: [0, 1], offset: 4 };
  assert.equal((await readTorch(repeated, six)).data, BigInt64Array.of(5n, 6n, 5n, 6n));
  assert.equal(await readTorch({ ...ints, shape: [], strides: [], offset: 5 }, six), {
    type: "int64",
    dims: [],
    data: BigInt64Array.of(6n),
  });
  assert.is((await readTorch({ elements: 0, shape: [0, 4], strides: [4, 1] }, new Float32Array(0))).data.length, 0);
  const halves = { type: "HalfStorage", shape: [2], strides: [1] };
  assert.equal((await readTorch(halves, Uint16Array.of(0x3c00, 1))).data, Float32Array.of(1, 2 ** -24));
});

test("of torch.save: what is no Tensor is refused by name, a view beyond the memory is E_OOM", async () => {
  const double = { type: "DoubleStorage", shape: [1], strides: [1] };
  await refuses(() => readTorch(double, new Float64Array(1)), "E_UNSUPPORTED", /"t".*found F64/);
  const bools = { type: "BoolStorage", shape: [2], strides: [1] };
  await refuses(() => readTorch(bools, Uint8Array.of(1, 7)), "E_FORMAT", /"t", found 7 at element 1/);
  const huge = { type: "ByteStorage", elements: 1, shape: [2 ** 26, 2 ** 26], strides: [0, 0] };
  await refuses(() => readTorch(huge, new Uint8Array(1)), "E_OOM", /"t": expected 4503599627370496 bytes/);
});

test("other dtypes and other booleans are refused by name", async () => {
  await refuses(() => read("F64", [1], new Float64Array(1)), "E_UNSUPPORTED", /"t".*found F64/);
  await refuses(() => read("BOOL", [3], Uint8Array.of(0, 1, 2)), "E_FORMAT", /"t", found 2 at element 2/);
});

test.run();
