import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ProcessorTensor, withProcessorTensors } from "#dist/entry/node/processor-file.js";
import { refused } from "../../../support/refusal.js";
import { safetensorsBytes } from "../../../support/safetensors-bytes.js";
import { inScratch } from "../../../support/scratch.js";
import { dictPickle, op, tensorPickle, torchBytes } from "../../../support/torch-bytes.js";
import { concat } from "../../../support/zip-bytes.js";

const test = suite("entry/node/processor-file");

const never = new AbortController().signal;
const list = (...items: Uint8Array[]): Uint8Array => concat([op.emptyList, op.mark, ...items, op.appends]);

/** What Python would find: every tensor of a file with its data. */
function inFile(content: Uint8Array, signal = never) {
  return inScratch((folder) => {
    writeFileSync(join(folder, "any name"), content);
    return withProcessorTensors(join(folder, "any name"), signal, async (tensors) => {
      const found: Record<string, unknown> = {};
      for (const [name, { dtype, bytes, read }] of tensors) found[name] = { dtype, bytes, ...(await read()) };
      return found;
    });
  });
}

const ids = BigInt64Array.of(5n, -1n, 7n, 2n ** 40n);

test("safetensors, whatever the name", async () => {
  const header = { ids: { dtype: "I64", shape: [2, 2], data_offsets: [0, 32] } };
  assert.equal(await inFile(safetensorsBytes(header, new Uint8Array(ids.buffer))), {
    ids: { dtype: "I64", bytes: 32, type: "int64", dims: [2, 2], data: ids },
  });
});

test("a dict of torch.save: bf16, int64, bool, views of one storage; what is no tensor is left out", async () => {
  const pickle = dictPickle({
    sft_format: list(op.text("a"), op.text("b")),
    nothing: op.none,
    ids: tensorPickle({ storage: "0", type: "LongStorage", elements: 4, shape: [2, 2], strides: [1, 2] }),
    last: tensorPickle({ storage: "0", type: "LongStorage", elements: 4, offset: 3, shape: [], strides: [] }),
    mask: tensorPickle({ storage: "1", type: "BoolStorage", shape: [1, 3], strides: [3, 1] }),
    pixels: tensorPickle({ storage: "2", type: "BFloat16Storage", shape: [2], strides: [1] }),
    none: tensorPickle({ storage: "3", shape: [0, 4], strides: [4, 1] }),
    same: tensorPickle({ storage: "1", type: "BoolStorage", elements: 3, shape: [2, 2], strides: [0, 1] }),
  });
  const file = torchBytes(pickle, {
    0: new Uint8Array(ids.buffer),
    1: Uint8Array.of(1, 0, 1),
    2: Uint8Array.of(0x80, 0x3f, 0x40, 0xc0),
    3: new Uint8Array(0),
  });
  assert.equal(await inFile(file), {
    ids: { dtype: "I64", bytes: 32, type: "int64", dims: [2, 2], data: BigInt64Array.of(5n, 7n, -1n, 2n ** 40n) },
    last: { dtype: "I64", bytes: 8, type: "int64", dims: [], data: BigInt64Array.of(2n ** 40n) },
    mask: { dtype: "BOOL", bytes: 3, type: "bool", dims: [1, 3], data: Uint8Array.of(1, 0, 1) },
    pixels: { dtype: "BF16", bytes: 4, type: "float32", dims: [2], data: Float32Array.of(1, -3) },
    none: { dtype: "F32", bytes: 0, type: "float32", dims: [0, 4], data: new Float32Array(0) },
    same: { dtype: "BOOL", bytes: 4, type: "bool", dims: [2, 2], data: Uint8Array.of(1, 0, 1, 0) },
  });
});

test("what a processor's own class, a tensor alone and a model would be is refused by name", async () => {
  const feature = concat([op.proto(), op.global("transformers.feature_extraction_utils", "BatchFeature"), op.stop]);
  await refused(
    inFile(torchBytes(feature)),
    "E_FORMAT",
    /"transformers\.feature_extraction_utils\.BatchFeature", which is not allowed; save dict\(inputs\)/,
  );
  const tensor = concat([op.proto(), tensorPickle({ shape: [1], strides: [1] }), op.stop]);
  await refused(
    inFile(torchBytes(tensor, { 0: new Uint8Array(4) })),
    "E_FORMAT",
    /found one tensor; save dict\(inputs\) with torch\.save/,
  );
  await refused(
    inFile(torchBytes(concat([op.proto(), op.none, op.stop]))),
    "E_FORMAT",
    /found something else; save dict/,
  );
  const empty = dictPickle({});
  await refused(
    inFile(torchBytes(empty, {}, { entries: [{ name: "archive/constants.pkl", data: empty }] })),
    "E_FORMAT",
    /TorchScript/,
  );
});

test("a view that reaches beyond its storage, and one that says it is huge", async () => {
  const dict = (tensor: Parameters<typeof tensorPickle>[0]) =>
    torchBytes(dictPickle({ ids: tensorPickle({ type: "LongStorage", elements: 4, ...tensor }) }), {
      0: new Uint8Array(32),
    });
  await refused(inFile(dict({ shape: [5], strides: [1] })), "E_FORMAT", /inside the 4 elements/);
  const huge = dict({ shape: [2 ** 25, 2 ** 25], strides: [0, 0] });
  await refused(inFile(huge), "E_OOM", /"ids".*9007199254740992 bytes|too little/);
  await inScratch((folder) => {
    const path = join(folder, "f");
    writeFileSync(path, huge);
    const bytes = (tensors: ReadonlyMap<string, ProcessorTensor>) => Promise.resolve(tensors.get("ids")!.bytes);
    return withProcessorTensors(path, never, bytes).then((found) => assert.is(found, 2 ** 53));
  });
});

test("files that are neither, cut, empty, absent or a folder; an abort", async () => {
  for (const content of [
    new Uint8Array(0),
    Uint8Array.of(0x50, 0x4b),
    Uint8Array.of(0x50, 0x4b, 3, 4),
    new Uint8Array(64),
  ]) {
    await refused(inFile(content), "E_FORMAT");
  }
  const whole = torchBytes(dictPickle({}));
  await refused(inFile(whole.subarray(0, whole.length - 1)), "E_FORMAT", /end record/);
  await inScratch(async (folder) => {
    mkdirSync(join(folder, "directory"));
    for (const name of ["absent", "directory"]) {
      const error = await refused(
        withProcessorTensors(join(folder, name), never, async () => {}),
        "E_IO",
      );
      assert.is(error.origin, "input");
    }
  });
  const reason = await inFile(whole, AbortSignal.abort("stopped")).catch((error: unknown) => error);
  assert.is(reason, "stopped");
});

test.run();
