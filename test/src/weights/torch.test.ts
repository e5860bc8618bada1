import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseTorch, parseTorchInputs, type TorchEntry, torchView } from "#dist/weights/torch.js";
import { MemorySource } from "../../support/memory-source.js";
import { onlyJanusErrors, refuses } from "../../support/refusal.js";
import { safetensorsBytes } from "../../support/safetensors-bytes.js";
import { dictPickle, type MadeTensor, op, tensorPickle, torchBytes } from "../../support/torch-bytes.js";
import { concat, type MadeEntry, zipBytes } from "../../support/zip-bytes.js";

const test = suite("weights/torch");

const FILE = "pytorch_model.bin";
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const parse = (file: Uint8Array): Promise<ReadonlyMap<string, TorchEntry>> =>
  parseTorch(new MemorySource({ [FILE]: file }), FILE);
/** A file of one tensor over a storage of six float32. */
const single = (tensor: Partial<MadeTensor>, bytes = 24): (() => Promise<unknown>) => {
  const pickle = dictPickle({ w: tensorPickle({ elements: 6, shape: [2, 3], strides: [3, 1], ...tensor }) });
  return () => parse(torchBytes(pickle, { 0: new Uint8Array(bytes) }));
};
const withEntries =
  (...entries: MadeEntry[]) =>
  (): Promise<unknown> =>
    parse(
      torchBytes(dictPickle({ w: tensorPickle({ shape: [1], strides: [1] }) }), { 0: new Uint8Array(4) }, { entries }),
    );

test("reads names, dtypes and views, and no storage", async () => {
  const pickle = dictPickle({
    a: tensorPickle({ type: "BFloat16Storage", elements: 12, shape: [2, 3], strides: [1, 2], offset: 6 }),
    b: tensorPickle({ type: "BFloat16Storage", elements: 12, shape: [], strides: [] }),
    c: tensorPickle({ storage: "1", type: "LongStorage", elements: 0, shape: [0, 4], strides: [4, 1] }),
  });
  const source = new MemorySource({ [FILE]: torchBytes(pickle, { 0: new Uint8Array(24), 1: new Uint8Array(0) }) });
  const tensors = await parseTorch(source, FILE);
  const seen = [...tensors.values()].map(({ storage, ...rest }) => ({ ...rest, entry: storage.name }));
  assert.equal(seen, [
    { name: "a", dtype: "BF16", shape: [2, 3], strides: [1, 2], offset: 6, entry: "archive/data/0" },
    { name: "b", dtype: "BF16", shape: [], strides: [], offset: 0, entry: "archive/data/0" },
    { name: "c", dtype: "I64", shape: [0, 4], strides: [4, 1], offset: 0, entry: "archive/data/1" },
  ]);
  assert.not.ok(source.reads.some(({ length }) => length === 24));
});

test("of a processor's dict the tensors are read and the rest is left out; a state dict may hold nothing else", async () => {
  const members = {
    a: tensorPickle({ shape: [2], strides: [1], elements: 3, offset: 1 }),
    b: op.none,
    c: op.emptyDict,
  };
  const file = torchBytes(dictPickle(members), { 0: new Uint8Array(12) });
  const source = new MemorySource({ [FILE]: file });
  const tensors = await parseTorchInputs(source, FILE);
  assert.equal([...tensors.keys()], ["a"]);
  const { start, ...view } = torchView(source, FILE, tensors.get("a")!);
  assert.equal(view, { path: FILE, itemBytes: 4, shape: [2], strides: [1] });
  const begin = (await start()) - 4;
  assert.ok(begin > 0 && file.subarray(begin, begin + 12).every((byte) => byte === 0));
  await refuses(
    () => parse(file),
    "E_FORMAT",
    /"b" to be a tensor, found something else; save model\.state_dict\(\) alone/,
  );
  await refuses(() => parseTorchInputs(source, "absent"), "E_IO", /found none/);
});

test("B08 .bin with global os.system", () => {
  const pickle = concat([op.proto(), op.global("os", "system"), op.text("id"), op.tuple1, op.reduce, op.stop]);
  return refuses(() => parse(torchBytes(pickle)), "E_FORMAT", /"os\.system"/);
});
test("B09 builtins.eval via STACK_GLOBAL", () => {
  const pickle = concat([op.proto(), op.text("builtins"), op.text("eval"), op.stackGlobal, op.stop]);
  return refuses(() => parse(torchBytes(pickle)), "E_FORMAT", /0x93/);
});
test("B10 unknown opcode", () =>
  refuses(() => parse(torchBytes(concat([op.proto(), Uint8Array.of(0xff), op.stop]))), "E_FORMAT", /0xff/));
test("B12 SETITEM on a tuple", () => {
  const pickle = concat([op.proto(), op.emptyTuple, op.text("a"), op.none, op.setItem, op.stop]);
  return refuses(() => parse(torchBytes(pickle)), "E_FORMAT", /a dict and its new members/);
});
test("B13 storage numel larger than entry", async () => {
  await refuses(single({}, 20), "E_FORMAT", /6 elements of F32.*found 20 bytes/);
  await refuses(single({}, 28), "E_FORMAT", /6 elements of F32.*found 28 bytes/);
  await refuses(single({ elements: 2 ** 53 - 1 }), "E_FORMAT", /9007199254740991 elements/);
});
test("B14 negative storage_offset/strides, and views beyond the storage", async () => {
  await refuses(single({ offset: -1 }), "E_FORMAT", /non-negative/);
  await refuses(single({ strides: [-3, 1] }), "E_FORMAT", /non-negative/);
  await refuses(single({ shape: [-2, 3] }), "E_FORMAT", /non-negative/);
  await refuses(single({ offset: 1 }), "E_FORMAT", /inside the 6 elements/);
  await refuses(single({ strides: [4, 1] }), "E_FORMAT", /inside the 6 elements/);
  await refuses(single({ shape: [2 ** 40, 2 ** 40], strides: [0, 0] }), "E_FORMAT", /inside the 6 elements/);
  await refuses(single({ strides: [2 ** 52, 2 ** 52] }), "E_FORMAT", /inside the 6 elements/);
  await refuses(single({ shape: [0], strides: [1], offset: 7 }), "E_FORMAT", /inside the 6 elements/);
});
test("B15 non-contiguous strides succeed", async () => {
  await single({ strides: [1, 2] })();
  await single({ shape: [4, 6], strides: [0, 1] })();
});
test("B16 deflated entry", () =>
  refuses(
    withEntries({ name: "archive/data/9", data: new Uint8Array(10), method: 8, size: 10_000, packedSize: 10 }),
    "E_FORMAT",
    /compressed/,
  ));
test("B17 central/local name mismatch", async () => {
  const entry = { name: "archive/data.pkl", data: dictPickle({}), localName: "archive/other.pk" };
  await refuses(() => parse(zipBytes([entry])), "E_FORMAT", /another name/);
});
test("B18 legacy non-zip torch file", () =>
  refuses(
    () =>
      parse(
        concat([
          Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19),
          new Uint8Array(200),
        ]),
      ),
    "E_FORMAT",
    /older than version 1\.6/,
  ));
test("B19 big-endian byteorder record", async () => {
  await refuses(withEntries({ name: "archive/byteorder", data: text("big") }), "E_FORMAT", /little-endian.*"big"/);
  await refuses(withEntries({ name: "archive/byteorder", data: text("x".repeat(17)) }), "E_FORMAT", /at most 16 bytes/);
  await withEntries({ name: "archive/byteorder", data: text("little") })();
});

test("what is no state dict is refused with the way out", async () => {
  const file = (...ops: Uint8Array[]): Uint8Array => torchBytes(concat([op.proto(), ...ops, op.stop]));
  await refuses(() => parse(file(op.emptyList)), "E_FORMAT", /a dict of tensors/);
  await refuses(
    () => parse(torchBytes(dictPickle({ state_dict: op.emptyDict }))),
    "E_FORMAT",
    /"state_dict" to be a tensor, found a dict/,
  );
  await refuses(() => parse(torchBytes(dictPickle({ epoch: op.int(3) }))), "E_FORMAT", /"epoch" to be a tensor/);
  await refuses(
    () => parse(torchBytes(dictPickle({ w: tensorPickle({ storage: "7", shape: [1], strides: [1] }) }))),
    "E_FORMAT",
    /storage "7"/,
  );
  await refuses(withEntries({ name: "archive/constants.pkl", data: text("x") }), "E_FORMAT", /TorchScript/);
  await refuses(
    withEntries({ name: "other/data.pkl", data: text("x") }),
    "E_FORMAT",
    /one data\.pkl in the archive, found 2/,
  );
  await refuses(() => parse(zipBytes([{ name: "data.pkl", data: text("x") }])), "E_FORMAT", /found 0/);
  await refuses(
    () => parse(safetensorsBytes({ a: { dtype: "U8", shape: [200], data_offsets: [0, 200] } }, 200)),
    "E_FORMAT",
    /model\.safetensors/,
  );
  await refuses(() => parseTorch(new MemorySource({}), FILE), "E_IO", /found none/);
});

test("a name that is hostile stays a name", async () => {
  const pickle = dictPickle({ ["__proto__"]: tensorPickle({ shape: [1], strides: [1] }) });
  assert.equal([...(await parse(torchBytes(pickle, { 0: new Uint8Array(4) }))).keys()], ["__proto__"]);
  await refuses(() => parse(torchBytes(dictPickle({ [`\n${"x".repeat(1e6)}`]: op.none }))), "E_FORMAT", /"\\nxxx/);
});

test("a mutated archive is read or refused", async () => {
  const valid = torchBytes(
    dictPickle({ a: tensorPickle({ shape: [2, 3], strides: [3, 1] }) }),
    { 0: new Uint8Array(24) },
    {
      entries: [{ name: "archive/byteorder", data: text("little") }],
      end: { zip64: true },
    },
  );
  const edit = fc.record({ at: fc.nat(valid.length - 5), put: fc.uint8Array({ minLength: 1, maxLength: 5 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const file = valid.slice();
      for (const { at, put } of edits) file.set(put, at);
      await onlyJanusErrors(() => parse(file));
    }),
    { numRuns: 2000, seed: 7 },
  );
});

test.run();
