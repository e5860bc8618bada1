import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeTorch } from "#dist/weights/encode-torch.js";
import { narrowBF16 } from "#dist/weights/narrow.js";
import { isRecord } from "#dist/weights/state-dict.js";
import { parseTorch } from "#dist/weights/torch.js";
import { unpickle } from "#dist/weights/unpickle.js";
import { randomF32 } from "../../support/elements.js";
import { MemorySource } from "../../support/memory-source.js";
import { plainTorch, plainZip } from "../../support/plain-torch.js";
import { refused, refusedNow } from "../../support/refusal.js";

const test = suite("weights/encode-torch");

const [rows, columns] = [300, 7] as const;
const data = randomF32(rows * columns, 11) as Float32Array<ArrayBuffer>;
const matrix = { dims: [rows, columns], parts: [data.subarray(0, 70), data.subarray(70)] } as const;

test("a reader that trusts finds the tensor, dense, in both precisions", () => {
  for (const [dtype, width, expected] of [
    ["fp32", 4, new Uint8Array(data.buffer)],
    ["bf16", 2, new Uint8Array(narrowBF16(data).buffer)],
  ] as const) {
    const encoded = encodeTorch(matrix, dtype);
    const file = encoded.toBytes();
    assert.is(file.length, encoded.byteLength);
    const { shape, strides, offset, data: stored } = plainTorch(file, width).get("")!;
    assert.equal({ shape, strides, offset }, { shape: [rows, columns], strides: [columns, 1], offset: 0 });
    assert.ok(Buffer.from(stored).equals(expected), dtype);
  }
});

test("the archive is laid out as torch.save does, and its pickle is the one that PyTorch writes", () => {
  const file = plainZip(encodeTorch({ dims: [3, 7], parts: [new Float32Array(21)] }, "bf16").toBytes());
  assert.equal([...file.keys()], ["archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/version"]);
  const text = (name: string): string => Buffer.from(file.get(`archive/${name}`)!).toString("latin1");
  assert.is(text("byteorder"), "little");
  assert.is(text("version"), "3\n");
  // torch.save(torch.zeros(3, 7, dtype=torch.bfloat16)) of PyTorch 2.15.
  assert.is(
    text("data.pkl"),
    "\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\x00\x00\x00storageq\x01ctorch\nBFloat16Storage\nq\x02" +
      "X\x01\x00\x00\x000q\x03X\x03\x00\x00\x00cpuq\x04K\x15tq\x05QK\x00K\x03K\x07\x86q\x06K\x07K\x01\x86q\x07" +
      "\x89ccollections\nOrderedDict\nq\x08)Rq\ttq\nRq\x0b.",
  );
});

test("numbers of every width are read back by the reader that trusts nothing", () => {
  const fail = (reason: string): never => assert.unreachable(reason) as never;
  for (const dims of [
    [0, 128],
    [1, 1],
    [255, 256],
    [65_535, 3],
    [65_536, 70],
    [130_000, 4096],
  ] as const) {
    // The data is made when it is asked for: the pickle alone is read.
    const chunks = encodeTorch({ dims, parts: [] }, "fp32")[Symbol.iterator]();
    chunks.next();
    const found = unpickle(chunks.next().value!, fail);
    if (!isRecord(found, "tensor")) return assert.unreachable("a tensor");
    const storage = { kind: "storage", key: "0", dtype: "F32", elements: dims[0] * dims[1] };
    assert.equal(found.storage, storage);
    assert.equal([found.shape, found.strides], [[...dims], [dims[1], 1]]);
  }
});

test("it is no state dict, and 4 GB are refused by name", async () => {
  const source = new MemorySource({ f: encodeTorch(matrix, "fp32").toBytes() });
  await refused(parseTorch(source, "f"), "E_FORMAT", /expected a dict of tensors/);
  refusedNow(
    () => encodeTorch({ dims: [2 ** 20, 2 ** 10], parts: [] }, "fp32"),
    "E_UNSUPPORTED",
    /less than 4294967295/,
  );
  refusedNow(
    () => encodeTorch({ dims: [2 ** 21, 2 ** 10], parts: [] }, "bf16"),
    "E_UNSUPPORTED",
    /less than 4294967295/,
  );
});

test.run();
