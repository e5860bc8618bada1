import { suite } from "uvu";
import * as assert from "uvu/assert";
import { freeBytes } from "#dist/image/free-bytes.js";

const test = suite("freeBytes");

/** Node 20 cannot. */
const frees = "transfer" in ArrayBuffer.prototype;

test("a buffer of its own is freed at once, and may be again", () => {
  const bytes = new Uint8Array(1000);
  freeBytes(bytes);
  freeBytes(bytes);
  assert.is(bytes.buffer.byteLength, frees ? 0 : 1000);
});

test("what has more than these bytes is left alone", () => {
  const buffer = new ArrayBuffer(1000);
  freeBytes(new Uint8Array(buffer, 0, 999));
  freeBytes(new Uint8Array(buffer, 1));
  assert.is(buffer.byteLength, 1000);
});

test("so are a WebAssembly memory and a shared buffer", () => {
  const { buffer } = new WebAssembly.Memory({ initial: 1 });
  const shared = new SharedArrayBuffer(1000);
  freeBytes(new Uint8Array(buffer));
  freeBytes(new Uint8Array(shared));
  assert.is(buffer.byteLength, 65536);
  assert.is(shared.byteLength, 1000);
});

test.run();
