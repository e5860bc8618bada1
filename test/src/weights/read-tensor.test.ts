import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "#dist/tensor.js";
import { readTensor } from "#dist/weights/read-tensor.js";
import { parseSafetensors } from "#dist/weights/safetensors.js";
import { MemorySource } from "../../support/memory-source.js";
import { refuses } from "../../support/refusal.js";
import { safetensorsBytes } from "../../support/safetensors-bytes.js";

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

test("other dtypes and other booleans are refused by name", async () => {
  await refuses(() => read("F64", [1], new Float64Array(1)), "E_UNSUPPORTED", /"t".*found F64/);
  await refuses(() => read("BOOL", [3], Uint8Array.of(0, 1, 2)), "E_FORMAT", /"t", found 2 at element 2/);
});

test.run();
