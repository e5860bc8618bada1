/** Bodies read into buffers that are used again, as hosts with little memory need it. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bodyReader } from "#dist/weights/body-reader.js";
import { rejection } from "../../support/waiting.js";

const test = suite("weights/body-reader");

const BYTES = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 7 + (i >> 9)) % 251);

/** The bytes in chunks of `size`, as a stream of bytes or of any pieces; it breaks after `until` bytes. */
function streamOf(size: number, type?: "bytes", until = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  let at = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array> | ReadableByteStreamController): void => {
    if (at >= until) controller.error(new Error("cut"));
    else if (at < BYTES.length) {
      controller.enqueue(BYTES.slice(at, at + size));
      at += size;
    } else {
      controller.close();
      if ("byobRequest" in controller) controller.byobRequest?.respond(0);
    }
  };
  return (type ? new ReadableStream({ type, pull }) : new ReadableStream({ pull })) as ReadableStream<Uint8Array>;
}

/** All of it, copied piece by piece, and the buffers that it lay in. */
async function drain(body: ReadableStream<Uint8Array>, spare?: ArrayBuffer[]): Promise<[Buffer, Set<number>]> {
  const reader = bodyReader(body, spare);
  const parts: Buffer[] = [];
  const sizes = new Set<number>();
  for (let piece = await reader.read(); piece; piece = await reader.read()) {
    parts.push(Buffer.from(piece));
    sizes.add(piece.buffer.byteLength);
  }
  return [Buffer.concat(parts), sizes];
}

test("the bytes of any stream, in pieces of any size, with spare buffers and without", async () => {
  for (const type of [undefined, "bytes"] as const) {
    for (const size of [1000, 65_536, 300_000]) {
      for (const spare of [undefined, []]) assert.ok((await drain(streamOf(size, type), spare))[0].equals(BYTES));
    }
  }
});

test("one buffer for all pieces of a body, and for those of the next", async () => {
  const spare: ArrayBuffer[] = [];
  for (let body = 0; body < 3; body++) {
    const [, sizes] = await drain(streamOf(10_000, "bytes"), spare);
    assert.equal(sizes.size, 1);
    assert.equal(
      spare.map(({ byteLength }) => byteLength),
      [...sizes],
    );
  }
});

test("bodies that are read at the same time have buffers of their own", async () => {
  const spare: ArrayBuffer[] = [];
  const drained = await Promise.all([1000, 3000, 70_000].map((size) => drain(streamOf(size, "bytes"), spare)));
  for (const [bytes] of drained) assert.ok(bytes.equals(BYTES));
  assert.is(spare.length, 3);
});

test("a body that is left gives its buffer back; one that breaks rejects with why, and the next has another", async () => {
  const spare: ArrayBuffer[] = [];
  const left = bodyReader(streamOf(1000, "bytes"), spare);
  await left.read();
  await left.cancel();
  assert.is(spare.length, 1);
  const reason = (await rejection(drain(streamOf(1000, "bytes", 5000), spare))) as Error;
  assert.is(reason.message, "cut");
  assert.ok((await drain(streamOf(1000, "bytes"), spare))[0].equals(BYTES));
  assert.is(spare.length, 1);
});

test.run();
