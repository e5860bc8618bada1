/** What is kept, and for how long, with an encoder whose embeddings tell the picture and the turn; over a real model see session.test.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EncodedImages } from "#dist/entry/transformers/encoded-images.js";
import { rejection, until } from "../../../support/waiting.js";

const test = suite("entry/transformers/encoded-images");

const SIZE = 2;

/** A picture of one level; `last` is that of its last element alone. */
function picture(level: number, last = level): Float32Array<ArrayBuffer> {
  const pixels = new Float32Array(3 * SIZE * SIZE).fill(level);
  pixels[pixels.length - 1] = last;
  return pixels;
}

/** Projects to [first element, last element, how many were encoded so far]. */
function images(capacity: number, wait: () => Promise<void> = async () => {}) {
  let encoded = 0;
  let inside = 0;
  const janus = {
    config: { imageSize: SIZE },
    async encode({ data, dims }: { data: Float32Array; dims: readonly number[] }, { signal }: { signal: AbortSignal }) {
      assert.equal(dims, [1, 3, SIZE, SIZE]);
      assert.is(++inside, 1, "one at a time");
      try {
        encoded++;
        await wait();
        signal.throwIfAborted();
        return { data };
      } finally {
        inside--;
      }
    },
    async project({ data }: { data: Float32Array }) {
      return { data: Float32Array.of(data[0] ?? 0, data.at(-1) ?? 0, encoded) };
    },
  };
  return { kept: new EncodedImages(janus as never, capacity), encoded: () => encoded };
}

test("a picture is known by every one of its pixels", async () => {
  const { kept, encoded } = images(8);
  assert.equal([...(await kept.embedsOf(picture(1)))], [1, 1, 1]);
  assert.equal([...(await kept.embedsOf(picture(1)))], [1, 1, 1], "another array, the same pixels");
  assert.equal([...(await kept.embedsOf(picture(1, 2)))], [1, 2, 2], "the last element differs");
  assert.equal([...(await kept.embedsOf(picture(0)))], [0, 0, 3]);
  assert.equal([...(await kept.embedsOf(picture(-0)))], [-0, -0, 4], "bit by bit");
  assert.is(encoded(), 4);
});

test("the least lately used goes first", async () => {
  const { kept, encoded } = images(2);
  for (const level of [1, 2, 1, 3]) await kept.embedsOf(picture(level));
  assert.is(encoded(), 3);
  await kept.embedsOf(picture(1));
  assert.is(encoded(), 3, "1 was used after 2, which went");
  await kept.embedsOf(picture(2));
  assert.is(encoded(), 4);
});

test("with room for none, every picture is encoded", async () => {
  const { kept, encoded } = images(0);
  for (const level of [1, 1, 1]) await kept.embedsOf(picture(level));
  assert.is(encoded(), 3);
});

test("asked for again while it is encoded, it is encoded once", async () => {
  const { kept, encoded } = images(1, () => new Promise((resolve) => setTimeout(resolve, 5)));
  const [a, b, c] = await Promise.all([1, 1, 1].map((level) => kept.embedsOf(picture(level))));
  assert.equal(
    [a, b, c].map((embeds) => embeds?.[2]),
    [1, 1, 1],
  );
  assert.is(encoded(), 1);
});

test("an abort is its own call's alone, and what it left is not kept", async () => {
  let go: () => void = () => {};
  const { kept, encoded } = images(4, () => new Promise((resolve) => (go = resolve)));
  const abort = new AbortController();
  const first = rejection(kept.embedsOf(picture(1), abort.signal));
  const second = kept.embedsOf(picture(1));
  await until(() => encoded() === 1, "the first is being encoded");
  const reason = new Error("enough");
  abort.abort(reason);
  assert.is(await first, reason, "at once");
  go();
  await until(() => encoded() === 2, "the second is encoded for itself");
  go();
  assert.equal([...(await second)], [1, 1, 2]);
});

test("ended, it rejects what runs, waits and comes", async () => {
  let go: () => void = () => {};
  const { kept, encoded } = images(4, () => new Promise((resolve) => (go = resolve)));
  const calls = [1, 2].map((level) => rejection(kept.embedsOf(picture(level))));
  await until(() => encoded() === 1, "the first is being encoded");
  const reason = new Error("over");
  kept.end(reason);
  assert.equal(await Promise.all(calls), [reason, reason]);
  go();
  assert.is(await rejection(kept.embedsOf(picture(3))), reason);
  assert.is(encoded(), 1);
});

test.run();
