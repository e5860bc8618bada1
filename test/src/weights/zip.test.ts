import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { WeightSource } from "#dist/weights/source.js";
import { dataOffset, readZipDirectory, type ZipEntry } from "#dist/weights/zip.js";
import { MemorySource } from "../../support/memory-source.js";
import { onlyJanusErrors, refuses } from "../../support/refusal.js";
import { concat, type MadeEnd, type MadeEntry, record, zipBytes } from "../../support/zip-bytes.js";

const test = suite("weights/zip");
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** The directory and, as a reader of every entry would, where each entry's data begins. */
async function read(file: Uint8Array): Promise<Map<string, Uint8Array>> {
  const source = new MemorySource({ z: file });
  const entries = await readZipDirectory(source, "z", file.length);
  const contents = new Map<string, Uint8Array>();
  for (const [name, entry] of entries) {
    const begin = await dataOffset(source, "z", entry);
    contents.set(name, file.subarray(begin, begin + entry.size));
  }
  return contents;
}

const A: MadeEntry = { name: "archive/a", data: text("hello") };
const B: MadeEntry = { name: "archive/b", data: text("world!") };
const made = (entries: readonly MadeEntry[], end?: MadeEnd) => () => read(zipBytes(entries, end));

test("reads stored entries, with and without zip64 records and descriptors", async () => {
  for (const end of [{}, { zip64: true }]) {
    const contents = await read(
      zipBytes([A, { ...B, flags: 0x0808, localSize: 0 }, { name: "empty", data: text("") }], end),
    );
    assert.equal([...contents.keys()], ["archive/a", "archive/b", "empty"]);
    assert.equal(contents.get("archive/b"), text("world!"));
  }
  assert.is((await read(zipBytes([]))).size, 0);
});

test("a name is what its bytes say", async () => {
  assert.ok((await read(zipBytes([{ ...A, name: "é/__proto__" }]))).has("é/__proto__"));
});

for (const [what, call, pattern] of [
  ["no end record", () => read(text("hello")), /end record/],
  ["nothing", () => read(text("")), /end record/],
  ["a comment, behind which anything may hide", made([A], { comment: text("x") }), /end record/],
  [
    "a prefix that moves everything",
    () => read(concat([text("x"), zipBytes([A])])),
    /expected the zip directory to end/,
  ],
  ["bytes between directory and end", made([A], { length: 10 }), /expected the zip directory to end/],
  ["a directory beyond the file", made([A], { begin: 1e6 }), /expected the zip directory to end/],
  ["a directory beyond the file, zip64", made([A], { begin: 2 ** 40, zip64: true }), /inside/],
  ["more entries than there are", made([A], { count: 2 }), /expected an entry at byte/],
  ["fewer entries than there are", made([A, B], { count: 1 }), /expected 1 entries/],
  ["100,001 entries", made([A], { count: 100_001, zip64: true }), /at most 100000/],
  ["several disks", made([A], { disk: 1 }), /one disk/],
  ["an encrypted entry", made([{ ...A, flags: 0x0801 }]), /encrypted/],
  ["a deflated entry", made([{ ...A, method: 8 }]), /compressed \(method 8\)/],
  ["a packed size", made([{ ...A, packedSize: 4 }]), /stored whole/],
  ["an entry twice", made([A, B, A]), /"archive\/a" twice/],
  ["an entry inside another", made([A, { ...B, header: 10 }]), /overlap/],
  ["an entry beyond the file", made([{ ...A, size: 1000, localSize: 1000 }]), /overlap/],
  ["a header that is not there", made([{ ...A, header: 0 }], { prefix: new Uint8Array(5) }), /local zip header/],
  ["another name in the local header", made([{ ...A, localName: "archive/x" }]), /another name/],
  ["another size in the local header", made([{ ...A, localSize: 4 }]), /agree/],
  ["a local size of zero without a descriptor", made([{ ...A, localSize: 0 }]), /agree/],
  ["a saturated size without zip64", made([{ ...A, size: 0xffffffff }]), /zip64 size/],
  ["a name that is not UTF-8", () => read(zipBytes([A]).map((byte) => (byte === 0x61 ? 0xff : byte))), /UTF-8/],
] as const) {
  test(`refuses ${what}`, () => refuses(call, "E_FORMAT", pattern));
}

test("the local extra field moves the data, but not into the next entry", async () => {
  const file = zipBytes([A, B]);
  const at = 28;
  new DataView(file.buffer).setUint16(at, 4, true);
  await refuses(() => read(file), "E_FORMAT", /end before the next entry/);
});

/** Five gigabytes of which only the records exist: everything else reads as zeros. */
class SparseSource implements WeightSource {
  readonly label = "sparse";
  readonly #parts: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly length: number;

  constructor(parts: readonly { readonly at: number; readonly bytes: Uint8Array }[], length: number) {
    this.#parts = parts;
    this.length = length;
  }

  async size(): Promise<number> {
    return this.length;
  }

  async read(_path: string, offset: number, length: number): Promise<Uint8Array> {
    assert.ok(offset >= 0 && offset + length <= this.length && length < 2 ** 20, `read of ${length} at ${offset}`);
    const bytes = new Uint8Array(length);
    for (const part of this.#parts)
      for (let i = 0; i < part.bytes.length; i++) {
        const at = part.at + i - offset;
        if (at >= 0 && at < length) bytes[at] = part.bytes[i]!;
      }
    return bytes;
  }
}

test("B20 zip64 beyond 4 GB: sizes and offsets of 33 bits are read", async () => {
  const big = 4.5 * 2 ** 30;
  const local = (name: string): Uint8Array =>
    concat([
      record(
        [4, 0x04034b50],
        [2, 0],
        [2, 0x0808],
        [2, 0],
        [4, 0],
        [4, 0],
        [4, 0xffffffff],
        [4, 0xffffffff],
        [2, name.length],
        [2, 0],
      ),
      text(name),
    ]);
  const central = (name: string, ...wide: number[]): Uint8Array =>
    concat([
      record([4, 0x02014b50], [4, 0], [2, 0x0808], [2, 0], [4, 0], [4, 0], [4, 0xffffffff], [4, 0xffffffff]),
      record([2, name.length], [2, 8 * wide.length + 4 + 5], [2, 0], [2, 0], [2, 0], [4, 0], [4, 0xffffffff]),
      text(name),
      // Another extra field first: it is stepped over.
      record([2, 0x4246], [2, 1], [1, 0], [2, 1], [2, 8 * wide.length], ...wide.map((value) => [8, value] as const)),
    ]);
  const second = 31 + big;
  const begin = second + 31 + 8;
  const directory = concat([central("a", big, big, 0), central("b", 8, 8, second)]);
  const there = begin + directory.length;
  const ends = concat([
    record([4, 0x06064b50], [8, 44], [4, 0], [4, 0], [4, 0], [8, 2], [8, 2], [8, directory.length], [8, begin]),
    record([4, 0x07064b50], [4, 0], [8, there], [4, 1]),
    record([4, 0x06054b50], [4, 0], [2, 0xffff], [2, 0xffff], [4, 0xffffffff], [4, 0xffffffff], [2, 0]),
  ]);
  const source = new SparseSource(
    [
      { at: 0, bytes: local("a") },
      { at: second, bytes: concat([local("b"), text("12345678")]) },
      { at: begin, bytes: concat([directory, ends]) },
    ],
    there + ends.length,
  );
  const entries = await readZipDirectory(source, "z", source.length);
  const [a, b] = [entries.get("a")!, entries.get("b")!];
  assert.is(a.size, big);
  assert.is(await dataOffset(source, "z", a), 31);
  const at = await dataOffset(source, "z", b);
  assert.ok(at > 2 ** 32);
  assert.equal(await source.read("z", at, b.size), text("12345678"));
});

test("an archive that is mutated anywhere is read or refused", async () => {
  const archives = [zipBytes([A, B]), zipBytes([A, { ...B, flags: 0x0808, localSize: 0 }], { zip64: true })];
  const edit = fc.record({
    at: fc.nat(400),
    put: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.constant(Uint8Array.of(255, 255, 255, 255))),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...archives),
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      fc.nat(3),
      async (valid, edits, cut) => {
        const file = valid.slice(0, valid.length - (cut === 3 ? 7 : 0));
        for (const { at, put } of edits)
          file.set(put.subarray(0, Math.max(0, file.length - (at % file.length))), at % file.length);
        await onlyJanusErrors(() => read(file));
      },
    ),
    { numRuns: 3000, seed: 5 },
  );
});

test("entries keep their order and know their limit", async () => {
  const file = zipBytes([A, B]);
  const entries: ZipEntry[] = [...(await readZipDirectory(new MemorySource({ z: file }), "z", file.length)).values()];
  assert.is(entries[0]!.limit, entries[1]!.header);
});

test.run();
