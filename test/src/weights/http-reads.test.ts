import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PinnedFile } from "#dist/weights/http-range.js";
import { type FetchRange, ReadQueue } from "#dist/weights/http-reads.js";
import { countListeners } from "../../support/counted-listeners.js";
import { rejection } from "../../support/waiting.js";

const test = suite("weights/http-reads");

const MB = 1 << 20;
const file = (size: number): PinnedFile => ({ file: { size } }) as PinnedFile;
const byteAt = (at: number): number => (at * 7 + (at >> 9)) % 256;

/** Gives the bytes of a made-up file in odd parts, and notes what it was asked for. */
function counting(): { readonly fetch: FetchRange; readonly asked: [number, number][] } {
  const asked: [number, number][] = [];
  const fetch: FetchRange = async (_, from, to, sink) => {
    asked.push([from, to]);
    for (let at = from; at < to; at += 1000) {
      await Promise.resolve();
      sink(
        Uint8Array.from({ length: Math.min(1000, to - at) }, (_, i) => byteAt(at + i)),
        at,
      );
    }
  };
  return { fetch, asked };
}

async function readAll(
  queue: ReadQueue,
  one: PinnedFile,
  spans: readonly (readonly [number, number])[],
): Promise<void> {
  const targets = spans.map(([, length]) => new Uint8Array(length));
  await Promise.all(spans.map(([offset], i) => queue.read(one, offset, targets[i]!)));
  for (const [i, [offset, length]] of spans.entries())
    assert.equal(
      targets[i],
      Uint8Array.from({ length }, (_, j) => byteAt(offset + j)),
      `${offset}+${length}`,
    );
}

test("reads of one turn are joined where they touch, overlap, or leave a gap of at most 512 bytes", async () => {
  const { fetch, asked } = counting();
  const queue = new ReadQueue(fetch);
  await readAll(queue, file(100 * MB), [
    [9000, 10],
    [100, 50],
    [150, 1000],
    [120, 5],
    [1662, 3],
    [2178, 1],
    [5000, 2000],
  ]);
  assert.equal(asked, [
    [100, 1665],
    [2178, 2179],
    [5000, 7000],
    [9000, 9010],
  ]);
  asked.length = 0;
  const [one, other] = [file(100 * MB), file(100 * MB)];
  await Promise.all([readAll(queue, one, [[0, 10]]), readAll(queue, other, [[10, 10]])]);
  assert.is(asked.length, 2, "files are apart");
});

test("a long run is cut evenly; all of a file of up to 16 MB is not cut", async () => {
  const { fetch, asked } = counting();
  const queue = new ReadQueue(fetch);
  await readAll(queue, file(100 * MB), [[1, 5 * MB]]);
  assert.equal(
    asked.map(([from, to]) => to - from),
    [1747627, 1747627, 1747626],
  );
  asked.length = 0;
  await readAll(queue, file(5 * MB), [[0, 5 * MB]]);
  assert.equal(asked, [[0, 5 * MB]]);
  asked.length = 0;
  await queue.read(file(17 * MB), 0, new Uint8Array(17 * MB));
  assert.is(asked.length, 9);
});

test("when a piece fails the others are ended, and are over before the read rejects", async () => {
  const failure = new Error("piece 1");
  let ended = 0;
  const fetch: FetchRange = async (_, from, _to, _sink, signal) => {
    if (from > 0 && from < 3 * MB) throw failure;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await new Promise((resolve) => setTimeout(resolve, 10));
    ended++;
    throw signal.reason;
  };
  const outer = new AbortController();
  const listeners = countListeners(outer.signal);
  const queue = new ReadQueue(fetch);
  assert.is(await rejection(queue.read(file(100 * MB), 0, new Uint8Array(6 * MB), outer.signal)), failure);
  assert.is(ended, 2);
  const both = [0, 4 * MB].map((offset) =>
    rejection(queue.read(file(100 * MB), offset, new Uint8Array(4), outer.signal)),
  );
  setTimeout(() => outer.abort("stopped"), 5);
  assert.equal(await Promise.all(both), ["stopped", "stopped"]);
  assert.is(await rejection(queue.read(file(MB), 0, new Uint8Array(4), outer.signal)), "stopped");
  assert.is(listeners(), 0);
});

test.run();
