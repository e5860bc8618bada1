import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bytesSource } from "#dist/weights/bytes-source.js";
import { refused, refusedNow } from "../../support/refusal.js";

const test = suite("weights/bytes-source");

test("bytes of every kind, in a map or an object, are read where they lie", async () => {
  const bytes = Uint8Array.of(9, 9, 0, 1, 2, 3, 4, 5, 9, 9);
  const shared = new Uint8Array(new SharedArrayBuffer(6));
  shared.set([0, 1, 2, 3, 4, 5]);
  const files = {
    view: bytes.subarray(2, 8),
    words: new Uint16Array(bytes.buffer, 2, 3),
    data: new DataView(bytes.buffer, 2, 6),
    buffer: bytes.slice(2, 8).buffer,
    shared: shared.buffer,
    node: Buffer.from(bytes.subarray(2, 8)),
  };
  for (const source of [bytesSource(files), bytesSource(new Map(Object.entries(files)))]) {
    assert.is(source.label, "memory");
    for (const path of Object.keys(files)) {
      assert.is(await source.size(path), 6, path);
      assert.equal(await source.read(path, 1, 3), Uint8Array.of(1, 2, 3), path);
      const target = new Uint8Array(6);
      await source.readInto?.(path, 0, target);
      assert.equal([...target], [0, 1, 2, 3, 4, 5]);
      await refused(source.read(path, 4, 3), "E_IO", /found a file of 6/);
    }
    assert.is(await source.size("constructor"), undefined);
  }
});

test("what is read is the reader's own: the caller's bytes stay as they are", async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const read = await bytesSource({ a: bytes }).read("a", 0, 3);
  read.fill(0);
  assert.equal(bytes, Uint8Array.of(1, 2, 3));
});

test("what is not bytes", () => {
  for (const wrong of [{ a: "text" }, { a: [1, 2] }, { a: undefined }, new Map([["a", new Blob([])]])])
    refusedNow(() => bytesSource(wrong as never), "E_USAGE", /^opening files: expected bytes by path, got/);
});

test.run();
