import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeZip, type ZipMember } from "#dist/weights/encode-zip.js";
import { dataOffset, readZipDirectory } from "#dist/weights/zip.js";
import { MemorySource } from "../../support/memory-source.js";
import { plainZip } from "../../support/plain-torch.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("weights/encode-zip");

const member = (name: string, ...chunks: Uint8Array<ArrayBuffer>[]): ZipMember => ({
  name,
  byteLength: chunks.reduce((sum, { length }) => sum + length, 0),
  chunks: () => chunks,
});
const bytes = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);
const check = new TextEncoder().encode("123456789");
const members = [
  member("a/check", check.slice(0, 4), check.slice(4)),
  member("a/none"),
  member("a/64", bytes(64, 7)),
  member("a/a-longer-name", bytes(1, 8), bytes(0, 0), bytes(70, 9)),
];

test("members by name, found by a reader that trusts and by one that does not", async () => {
  const encoded = encodeZip(members);
  const file = encoded.toBytes();
  assert.is(file.length, encoded.byteLength);
  const contents = members.map(({ name, chunks }) => [name, [...Buffer.concat([...chunks()])]]);
  assert.equal(
    [...plainZip(file)].map(([name, data]) => [name, [...data]]),
    contents,
  );
  const source = new MemorySource({ f: file });
  const entries = await readZipDirectory(source, "f", file.length);
  assert.equal(
    [...entries.values()].map(({ name, size }) => [name, size]),
    members.map(({ name, byteLength }) => [name, byteLength]),
  );
  for (const entry of entries.values()) {
    const begin = await dataOffset(source, "f", entry);
    assert.is(begin % 64, 0, `${entry.name} begins at ${begin}`);
  }
});

test("the sum of a member stands after its data and in the directory; the directory at the end", () => {
  const file = Buffer.from(encodeZip(members).toBytes());
  const descriptor = 64 + 9;
  assert.is(file.readUInt32LE(descriptor), 0x08074b50);
  assert.is(file.readUInt32LE(descriptor + 4), 0xcbf43926);
  assert.equal([file.readUInt32LE(descriptor + 8), file.readUInt32LE(descriptor + 12)], [9, 9]);
  const end = file.length - 22;
  assert.is(file.readUInt32LE(end), 0x06054b50);
  assert.equal([file.readUInt16LE(end + 8), file.readUInt16LE(end + 10)], [4, 4]);
  const directory = file.readUInt32LE(end + 16);
  assert.is(directory + file.readUInt32LE(end + 12), end);
  assert.is(file.readUInt32LE(directory), 0x02014b50);
  assert.is(file.readUInt32LE(directory + 16), 0xcbf43926);
  assert.is(encodeZip(members).toBytes().join(), file.join(), "the same members give the same bytes");
});

test("4 GB and more is E_UNSUPPORTED of an output, before a byte is made", () => {
  const chunks = (): never => assert.unreachable("no chunk is asked for") as never;
  const large = (byteLength: number) => () => encodeZip([{ name: "a/0", byteLength, chunks }]);
  const pattern = /expected less than 4294967295 bytes, got \d+; write safetensors/;
  for (const length of [2 ** 32, 2 ** 32 - 40, 2 ** 53 - 1, Number.NaN]) {
    assert.is(refusedNow(large(length), "E_UNSUPPORTED", Number.isNaN(length) ? /got NaN/ : pattern).origin, "output");
  }
  assert.ok(large(2 ** 32 - 500)().byteLength < 2 ** 32 - 1);
});

test.run();
