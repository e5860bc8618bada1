import { concat, type MadeEnd, type MadeEntry, record, zipBytes } from "./zip-bytes.js";

/** Opcodes of Python's pickle, by their names in pickletools. */
export const op = {
  proto: (version = 2): Uint8Array => Uint8Array.of(0x80, version),
  stop: ascii("."),
  mark: ascii("("),
  none: ascii("N"),
  false: Uint8Array.of(0x89),
  true: Uint8Array.of(0x88),
  emptyTuple: ascii(")"),
  emptyDict: ascii("}"),
  emptyList: ascii("]"),
  tuple: ascii("t"),
  tuple1: Uint8Array.of(0x85),
  tuple2: Uint8Array.of(0x86),
  tuple3: Uint8Array.of(0x87),
  append: ascii("a"),
  appends: ascii("e"),
  setItem: ascii("s"),
  setItems: ascii("u"),
  reduce: ascii("R"),
  build: ascii("b"),
  persId: ascii("Q"),
  stackGlobal: Uint8Array.of(0x93),
  put: (index: number): Uint8Array =>
    index < 256 ? Uint8Array.of(0x71, index) : concat([ascii("r"), record([4, index])]),
  get: (index: number): Uint8Array =>
    index < 256 ? Uint8Array.of(0x68, index) : concat([ascii("j"), record([4, index])]),
  global: (module: string, name: string): Uint8Array => ascii(`c${module}\n${name}\n`),
  /** BININT1, BININT2, BININT or LONG1, whichever Python would take. */
  int: (value: number): Uint8Array => {
    if (value >= 0 && value < 256) return Uint8Array.of(0x4b, value);
    if (value >= 0 && value < 65536) return concat([ascii("M"), record([2, value])]);
    if (value >= -(2 ** 31) && value < 2 ** 31) return concat([ascii("J"), record([4, value >>> 0])]);
    const long = new Uint8Array(8);
    new DataView(long.buffer).setBigInt64(0, BigInt(value), true);
    return concat([Uint8Array.of(0x8a, 8), long]);
  },
  text: (value: string): Uint8Array => {
    const bytes = new TextEncoder().encode(value);
    return concat([ascii("X"), record([4, bytes.length]), bytes]);
  },
};

export interface MadeTensor {
  readonly storage?: string;
  readonly type?: string;
  readonly elements?: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** _rebuild_tensor_v2 of a persistent storage, as torch.save pickles a tensor. */
export function tensorPickle(tensor: MadeTensor): Uint8Array {
  const { storage = "0", type = "FloatStorage", offset = 0, shape, strides } = tensor;
  const elements = tensor.elements ?? shape.reduce((product, dimension) => product * dimension, 1);
  const ints = (values: readonly number[]): Uint8Array => concat([op.mark, ...values.map(op.int), op.tuple]);
  return concat([
    op.global("torch._utils", "_rebuild_tensor_v2"),
    op.mark,
    concat([
      op.mark,
      op.text("storage"),
      op.global("torch", type),
      op.text(storage),
      op.text("cpu"),
      op.int(elements),
      op.tuple,
    ]),
    op.persId,
    op.int(offset),
    ints(shape),
    ints(strides),
    op.false,
    op.global("collections", "OrderedDict"),
    op.emptyTuple,
    op.reduce,
    op.tuple,
    op.reduce,
  ]);
}

/** A pickle of one dict; values are pickled already. */
export function dictPickle(members: Record<string, Uint8Array>): Uint8Array {
  const items = Object.entries(members).flatMap(([name, value]) => [op.text(name), value]);
  return concat([op.proto(), op.emptyDict, op.mark, ...items, op.setItems, op.stop]);
}

/** A file of torch.save around a pickle and its storages. */
export function torchBytes(
  pickle: Uint8Array,
  storages: Record<string, Uint8Array> = {},
  { entries = [], end = {} }: { entries?: readonly MadeEntry[]; end?: MadeEnd } = {},
): Uint8Array {
  return zipBytes(
    [
      { name: "archive/data.pkl", data: pickle },
      ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
      ...entries,
    ],
    end,
  );
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
