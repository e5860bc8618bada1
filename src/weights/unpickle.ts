import { type JanusError, quote } from "../errors.js";
import type { Refuse } from "./json.js";
import {
  GLOBALS,
  isRecord,
  type PickleDict,
  type PickleGlobal,
  type PickleTuple,
  type PickleValue,
  storageOf,
  type TorchStorage,
  tensorOf,
} from "./state-dict.js";

/** pickle writes members in batches of 1,000 and nests a state dict four levels deep. */
const MAX_STACK = 10_000;
/** A tensor of a state dict makes about ten memo entries, and Janus has 1,000 tensors. */
const MAX_MEMO = 1_000_000;
/** Containers and their items, 22 to a tensor; bounds the heap that a pickle of one-byte dicts can ask for to about 64 MB. */
const MAX_OBJECTS = 300_000;
const MAX_GLOBAL_NAME = 200;
const PROTO = 0x80;
const STOP = 0x2e;

/**
 * Reads the pickle of a PyTorch state dict without running anything: an allow-list of opcodes (pickle protocol 2), an allow-list of
 * globals, and a check of the type of everything that an opcode touches (torch/_weights_only_unpickler.py, made narrower).
 */
export function unpickle(
  bytes: Uint8Array,
  refuse: Refuse,
  /** The next step when the pickle holds something else. */
  advice = "save the weights alone, as safetensors",
): PickleValue {
  return new Unpickler(bytes, refuse, advice).run();
}

class Unpickler {
  /** By their names in Python's pickletools. */
  static readonly #OPCODES: ReadonlyMap<number, (self: Unpickler) => void> = new Map<number, (self: Unpickler) => void>(
    [
      [0x28 /* MARK */, (self) => self.#marks.push(self.#stack.length)],
      [0x4e /* NONE */, (self) => self.#stack.push(null)],
      [0x88 /* NEWTRUE */, (self) => self.#stack.push(true)],
      [0x89 /* NEWFALSE */, (self) => self.#stack.push(false)],
      [0x4a /* BININT */, (self) => self.#stack.push(self.#view.getInt32(self.#take(4), true))],
      [0x4b /* BININT1 */, (self) => self.#stack.push(self.#byte())],
      [0x4d /* BININT2 */, (self) => self.#stack.push(self.#view.getUint16(self.#take(2), true))],
      [0x8a /* LONG1 */, (self) => self.#stack.push(self.#long())],
      [0x58 /* BINUNICODE */, (self) => self.#stack.push(self.#text(self.#word()))],
      [0x29 /* EMPTY_TUPLE */, (self) => self.#stack.push(self.#tuple([]))],
      [0x85 /* TUPLE1 */, (self) => self.#stack.push(self.#tuple(self.#popMany(1)))],
      [0x86 /* TUPLE2 */, (self) => self.#stack.push(self.#tuple(self.#popMany(2)))],
      [0x87 /* TUPLE3 */, (self) => self.#stack.push(self.#tuple(self.#popMany(3)))],
      [0x74 /* TUPLE */, (self) => self.#stack.push(self.#tuple(self.#popMark()))],
      [0x5d /* EMPTY_LIST */, (self) => self.#stack.push({ kind: "list", items: self.#counted([]) })],
      [0x7d /* EMPTY_DICT */, (self) => self.#stack.push(self.#dict(false))],
      [0x61 /* APPEND */, (self) => self.#append(self.#popMany(1))],
      [0x65 /* APPENDS */, (self) => self.#append(self.#popMark())],
      [0x73 /* SETITEM */, (self) => self.#setItems(self.#popMany(2))],
      [0x75 /* SETITEMS */, (self) => self.#setItems(self.#popMark())],
      [0x71 /* BINPUT */, (self) => self.#put(self.#byte())],
      [0x72 /* LONG_BINPUT */, (self) => self.#put(self.#word())],
      [0x68 /* BINGET */, (self) => self.#get(self.#byte())],
      [0x6a /* LONG_BINGET */, (self) => self.#get(self.#word())],
      [0x63 /* GLOBAL */, (self) => self.#stack.push(self.#global())],
      [0x51 /* BINPERSID */, (self) => self.#stack.push(self.#storage())],
      [0x52 /* REDUCE */, (self) => self.#stack.push(self.#reduce())],
      [0x62 /* BUILD */, (self) => self.#build()],
    ],
  );

  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #refuse: Refuse;
  readonly #advice: string;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #storages = new Map<string, TorchStorage>();
  #at = 0;
  #objects = 0;

  constructor(bytes: Uint8Array, refuse: Refuse, advice: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#refuse = refuse;
    this.#advice = advice;
  }

  run(): PickleValue {
    if (this.#byte() !== PROTO || this.#byte() !== 2)
      throw this.#refuse("expected a pickle of protocol 2, found another; save it again with torch.save");
    for (let opcode = this.#byte(); opcode !== STOP; opcode = this.#byte()) {
      const run = Unpickler.#OPCODES.get(opcode);
      if (run === undefined)
        throw this.#refuse(
          `expected an opcode of a state dict, found 0x${opcode.toString(16).padStart(2, "0")} at byte ${this.#at - 1} of the pickle; ${this.#advice}`,
        );
      run(this);
      if (this.#stack.length + this.#marks.length > MAX_STACK)
        throw this.#refuse(`expected at most ${MAX_STACK} values on the pickle stack, found more`);
    }
    const [value] = this.#popMany(1);
    if (this.#stack.length > 0 || this.#marks.length > 0 || this.#at !== this.#bytes.length)
      throw this.#refuse("expected the pickle to end with its one result, found more");
    return value!;
  }

  /** Never below the last mark: an opcode may not reach into what another one is collecting. */
  #popMany(count: number): PickleValue[] {
    const start = this.#stack.length - count;
    if (start < (this.#marks.at(-1) ?? 0)) throw this.#broken(`${count} values on the stack`);
    return this.#stack.splice(start);
  }

  #popMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#broken("a mark on the stack");
    return this.#stack.splice(mark);
  }

  /** What an opcode changes in place, or remembers. */
  #top(): PickleValue | undefined {
    return this.#stack.length > (this.#marks.at(-1) ?? 0) ? this.#stack.at(-1) : undefined;
  }

  #tuple(items: PickleValue[]): PickleTuple {
    return { kind: "tuple", items: this.#counted(items) };
  }

  #dict(ordered: boolean): PickleDict {
    this.#counted([]);
    return { kind: "dict", ordered, entries: new Map() };
  }

  #append(items: PickleValue[]): void {
    const list = this.#top();
    if (!isRecord(list, "list")) throw this.#broken("a list to append to");
    for (const item of this.#counted(items)) list.items.push(item);
  }

  #setItems(items: PickleValue[]): void {
    const dict = this.#top();
    if (!isRecord(dict, "dict") || items.length % 2 !== 0) throw this.#broken("a dict and its new members");
    this.#counted(items);
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== "string") throw this.#broken("members named by strings");
      if (dict.entries.has(key)) throw this.#refuse(`expected every name once, found ${quote(key)} twice`);
      dict.entries.set(key, items[i + 1]!);
    }
  }

  #put(index: number): void {
    const value = this.#top();
    if (value === undefined) throw this.#broken("a value to remember");
    this.#memo.set(index, value);
    if (this.#memo.size > MAX_MEMO) throw this.#refuse(`expected at most ${MAX_MEMO} memo entries, found more`);
  }

  #get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#broken(`memo entry ${index}`);
    this.#stack.push(value);
  }

  #global(): PickleGlobal {
    const name = `${this.#line()} ${this.#line()}`;
    const global = GLOBALS.get(name);
    if (global === undefined)
      throw this.#refuse(
        `expected only tensors and dicts, found the global ${quote(name.replace(" ", "."))}, which is not allowed; ${this.#advice}`,
      );
    return global;
  }

  #storage(): TorchStorage {
    const storage = storageOf(this.#popMany(1)[0]!);
    if (storage === undefined) throw this.#broken("the persistent id of a storage");
    const known = this.#storages.get(storage.key) ?? storage;
    if (known.dtype !== storage.dtype || known.elements !== storage.elements)
      throw this.#broken(`one dtype and one size of storage ${quote(storage.key)}`);
    this.#storages.set(storage.key, known);
    return known;
  }

  #reduce(): PickleValue {
    const [callable, args] = this.#popMany(2);
    if (isRecord(callable, "global") && isRecord(args, "tuple")) {
      if (callable.means === "ordered dict" && args.items.length === 0) return this.#dict(true);
      const tensor = callable.means === "rebuild tensor" ? tensorOf(args.items) : undefined;
      if (tensor !== undefined) return tensor;
    }
    throw this.#broken("an empty OrderedDict, or a tensor with non-negative offset, sizes and strides");
  }

  /** Only what nn.Module.state_dict() attaches to its OrderedDict, the versions of the modules: checked and dropped. */
  #build(): void {
    const [state] = this.#popMany(1);
    const target = this.#top();
    if (!isRecord(target, "dict") || !target.ordered || !isRecord(state, "dict"))
      throw this.#broken("an OrderedDict and its attributes");
  }

  /** Charges a container and its items: a small pickle must not become a large heap. */
  #counted(items: PickleValue[]): PickleValue[] {
    this.#objects += 1 + items.length;
    if (this.#objects > MAX_OBJECTS)
      throw this.#refuse(`expected at most ${MAX_OBJECTS} objects in the pickle, found more`);
    return items;
  }

  #byte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  #word(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length)
      throw this.#refuse(`expected ${length} more bytes at byte ${start} of the pickle, found its end`);
    this.#at = start + length;
    return start;
  }

  #text(length: number): string {
    const start = this.#take(length);
    try {
      const bytes = this.#bytes.subarray(start, start + length);
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.#broken("a string in UTF-8");
    }
  }

  #line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + MAX_GLOBAL_NAME).indexOf(0x0a);
    if (end < 0) throw this.#broken(`a global's name of at most ${MAX_GLOBAL_NAME} bytes`);
    const line = this.#text(end);
    this.#take(1);
    return line;
  }

  /** Little-endian two's complement; what does not fit a safe integer has no place in a state dict. */
  #long(): number {
    const length = this.#byte();
    const start = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[start + i]!);
    const signed = Number(BigInt.asIntN(8 * length, value));
    if (!Number.isSafeInteger(signed)) throw this.#broken("an integer within 2^53-1");
    return signed;
  }

  #broken(expected: string): JanusError {
    return this.#refuse(`expected ${expected} before byte ${this.#at} of the pickle, found something else`);
  }
}
