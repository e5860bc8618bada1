import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JanusError } from "#dist/errors.js";
import { GLOBALS, isRecord, type PickleValue, type TorchTensor } from "#dist/weights/state-dict.js";
import { unpickle } from "#dist/weights/unpickle.js";
import { refuses } from "../../support/refusal.js";
import { dictPickle, op, tensorPickle } from "../../support/torch-bytes.js";
import { concat } from "../../support/zip-bytes.js";

const test = suite("weights/unpickle");

const run = (...ops: Uint8Array[]): PickleValue =>
  unpickle(concat([op.proto(), ...ops, op.stop]), (reason) => new JanusError("E_FORMAT", reason));
const TENSOR = tensorPickle({ shape: [2, 3], strides: [3, 1] });

/** A nested value as plain data. */
function plain(value: PickleValue): unknown {
  if (isRecord(value, "tuple") || isRecord(value, "list")) return value.items.map(plain);
  if (isRecord(value, "dict"))
    return Object.fromEntries([...value.entries].map(([key, member]) => [key, plain(member)]));
  return value;
}

test("reads what a state dict is made of", () => {
  const value = run(
    op.global("collections", "OrderedDict"),
    op.emptyTuple,
    op.reduce,
    op.put(300),
    concat([op.mark, op.text("weight"), TENSOR, op.text("__proto__"), op.none, op.setItems]),
    concat([op.emptyDict, op.text("_metadata"), op.emptyDict, op.setItem, op.build]),
  );
  assert.ok(isRecord(value, "dict") && value.ordered);
  assert.equal([...value.entries.keys()], ["weight", "__proto__"]);
  const tensor: TorchTensor = {
    kind: "tensor",
    storage: { kind: "storage", key: "0", dtype: "F32", elements: 6 },
    offset: 0,
    shape: [2, 3],
    strides: [3, 1],
  };
  assert.equal(value.entries.get("weight"), tensor);
});

test("reads numbers as Python writes them, tuples, lists and the memo", () => {
  const numbers = [0, 255, 256, 65535, 65536, -1, -(2 ** 31), 2 ** 31, -(2 ** 40), 2 ** 53 - 1];
  const list = run(op.emptyList, op.put(0), op.mark, ...numbers.map(op.int), op.appends, op.true, op.append);
  assert.equal(plain(list), [...numbers, true]);
  const tuples = run(op.int(1), op.put(7), op.tuple1, op.get(7), op.tuple2, op.false, op.emptyTuple, op.tuple3);
  assert.equal(plain(tuples), [[[1], 1], false, []]);
});

test("storages are known by their key, and every storage type by its dtype", () => {
  for (const [name, { dtype, means }] of GLOBALS) {
    if (means !== "storage") continue;
    const value = run(tensorPickle({ type: name.split(" ")[1]!, shape: [1], strides: [1] }));
    assert.ok(isRecord(value, "tensor"));
    assert.is(value.storage.dtype, dtype);
  }
});

const args = (...values: Uint8Array[]): Uint8Array => concat([op.mark, ...values, op.tuple]);
const REBUILD = op.global("torch._utils", "_rebuild_tensor_v2");
const ORDERED = concat([op.global("collections", "OrderedDict"), op.emptyTuple, op.reduce]);
const storageId = (...values: Uint8Array[]): Uint8Array => concat([args(...values), op.persId]);
const STORAGE = [op.text("storage"), op.global("torch", "FloatStorage"), op.text("0"), op.text("cpu")] as const;

for (const [what, ops, pattern] of [
  ["os.system", [op.global("os", "system")], /"os\.system"/],
  ["posix.system behind a memo", [op.global("posix", "system"), op.put(0)], /"posix\.system"/],
  ["builtins.eval", [op.global("builtins", "eval"), op.text("1"), op.tuple1, op.reduce], /"builtins\.eval"/],
  ["an allowed name of another module", [op.global("os", "OrderedDict")], /"os\.OrderedDict"/],
  ["torch.load itself", [op.global("torch", "load")], /"torch\.load"/],
  ["_rebuild_tensor_v2 dressed up", [op.global("torch", "_utils._rebuild_tensor_v2")], /not allowed/],
  ["a global without an end", [new TextEncoder().encode(`c${"a".repeat(500)}`)], /200 bytes/],
  ["STACK_GLOBAL", [op.text("builtins"), op.text("eval"), op.stackGlobal], /0x93/],
  ["INST", [op.mark, new TextEncoder().encode("ios\nsystem\n")], /0x69/],
  ["REDUCE of a string", [op.text("x"), op.emptyTuple, op.reduce], /OrderedDict, or a tensor/],
  [
    "REDUCE of a storage type",
    [op.global("torch", "FloatStorage"), op.emptyTuple, op.reduce],
    /OrderedDict, or a tensor/,
  ],
  [
    "OrderedDict with arguments",
    [op.global("collections", "OrderedDict"), op.emptyList, op.tuple1, op.reduce],
    /OrderedDict/,
  ],
  ["SETITEM on a tuple", [op.emptyTuple, op.text("a"), op.none, op.setItem], /a dict/],
  ["SETITEM on a tensor", [TENSOR, op.text("a"), op.none, op.setItem], /a dict/],
  ["SETITEMS of an odd number", [op.emptyDict, op.mark, op.text("a"), op.setItems], /a dict/],
  ["a key that is no string", [op.emptyDict, op.int(1), op.none, op.setItem], /named by strings/],
  ["a key twice", [op.emptyDict, op.mark, op.text("a"), op.none, op.text("a"), op.none, op.setItems], /"a" twice/],
  ["APPEND to a dict", [op.emptyDict, op.none, op.append], /a list/],
  ["BUILD of a dict", [op.emptyDict, op.emptyDict, op.build], /OrderedDict and its attributes/],
  ["BUILD of a tensor", [TENSOR, op.emptyDict, op.build], /OrderedDict and its attributes/],
  ["BUILD with a tuple", [ORDERED, op.emptyTuple, op.build], /OrderedDict and its attributes/],
  ["an empty stack", [op.tuple1], /1 values on the stack/],
  ["no result", [], /1 values on the stack/],
  ["two results", [op.none, op.none], /one result/],
  ["an open mark", [op.mark, op.none], /one result/],
  ["reaching below a mark", [op.none, op.mark, op.tuple1], /1 values on the stack/],
  ["a mark that is not there", [op.tuple], /a mark/],
  ["a memo entry that is not there", [op.get(5)], /memo entry 5/],
  ["remembering nothing", [op.put(5)], /a value to remember/],
  ["text that is not UTF-8", [Uint8Array.of(0x58, 1, 0, 0, 0, 0xff)], /UTF-8/],
  ["text beyond the end", [Uint8Array.of(0x58, 255, 255, 255, 255)], /4294967295 more bytes/],
  ["a number of nine bytes", [Uint8Array.of(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1)], /2\^53-1/],
  ["bytes after the end", [op.none, op.stop, op.none], /one result/],
  ["a persistent id of another kind", [storageId(op.text("module"), ...STORAGE.slice(1), op.int(1))], /persistent id/],
  ["a persistent id that is a number", [op.int(1), op.persId], /persistent id/],
  ["a storage without a type", [storageId(STORAGE[0], ORDERED, ...STORAGE.slice(2), op.int(1))], /persistent id/],
  ["a storage of a negative size", [storageId(...STORAGE, op.int(-1))], /persistent id/],
  [
    "a storage of two sizes",
    [storageId(...STORAGE, op.int(1)), storageId(...STORAGE, op.int(2)), op.tuple2],
    /one size/,
  ],
  [
    "a tensor without a storage",
    [REBUILD, args(op.none, op.int(0), op.emptyTuple, op.emptyTuple, op.false, ORDERED), op.reduce],
    /a tensor/,
  ],
  [
    "a tensor with a string for a size",
    [
      REBUILD,
      args(storageId(...STORAGE, op.int(1)), op.int(0), args(op.text("1")), args(op.int(1)), op.false, ORDERED),
      op.reduce,
    ],
    /a tensor/,
  ],
  ["a tensor with more sizes than strides", [tensorPickle({ shape: [1, 1], strides: [1] })], /a tensor/],
  ["a tensor of 65 dimensions", [tensorPickle({ shape: Array(65).fill(1), strides: Array(65).fill(1) })], /a tensor/],
  [
    "a tensor with hooks that are no dict",
    [
      REBUILD,
      args(storageId(...STORAGE, op.int(1)), op.int(0), op.emptyTuple, op.emptyTuple, op.false, op.none),
      op.reduce,
    ],
    /a tensor/,
  ],
] as const) {
  test(`refuses ${what}`, () => refuses(() => run(...ops), "E_FORMAT", pattern));
}

test("refuses other protocols and cut pickles", async () => {
  const refuse = (reason: string): JanusError => new JanusError("E_FORMAT", reason);
  await refuses(() => unpickle(concat([op.proto(4), op.none, op.stop]), refuse), "E_FORMAT", /protocol 2/);
  const whole = dictPickle({ a: TENSOR });
  for (let length = 0; length < whole.length; length++)
    await refuses(() => unpickle(whole.subarray(0, length), refuse), "E_FORMAT", /expected/);
});

test("B11 unpickler bombs: what doubles is shared, what piles up is counted", async () => {
  const doubling = Array.from({ length: 100 }, (_, i) => [op.put(i), op.get(i), op.tuple2]).flat();
  const value = run(op.emptyTuple, ...doubling);
  assert.ok(isRecord(value, "tuple"));
  const repeat = (count: number, ...ops: Uint8Array[]): Uint8Array => concat(Array(count).fill(concat(ops)));
  await refuses(() => run(repeat(11_000, op.none)), "E_FORMAT", /10000 values/);
  await refuses(() => run(repeat(11_000, op.mark)), "E_FORMAT", /10000 values/);
  const dicts = concat([op.mark, repeat(9_000, op.emptyDict), op.appends]);
  await refuses(() => run(op.emptyList, repeat(200, dicts)), "E_FORMAT", /300000 objects/);
  const items = concat([op.mark, repeat(9_000, op.none), op.appends]);
  await refuses(() => run(op.emptyList, repeat(200, items)), "E_FORMAT", /300000 objects/);
  const memo = concat(Array.from({ length: 1_000_001 }, (_, i) => op.put(i)));
  await refuses(() => run(op.none, memo), "E_FORMAT", /1000000 memo/);
});

test("a mutated pickle is read or refused", () => {
  const valid = dictPickle({ a: TENSOR, b: tensorPickle({ storage: "1", shape: [], strides: [] }) });
  const opcodes = fc.constantFrom(
    ...Object.values(op).filter((code) => code instanceof Uint8Array),
    op.put(0),
    op.get(0),
  );
  const edit = fc.record({
    at: fc.nat(valid.length - 1),
    cut: fc.nat(3),
    put: fc.oneof(fc.uint8Array({ maxLength: 3 }), opcodes),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let bytes = valid;
      for (const { at, cut, put } of edits) bytes = concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
      try {
        unpickle(bytes, (reason) => new JanusError("E_FORMAT", reason));
      } catch (error) {
        assert.instance(error, JanusError, String((error as Error).stack));
      }
    }),
    { numRuns: 5000, seed: 6 },
  );
});

test.run();
