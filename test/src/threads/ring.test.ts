import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Ring } from "#dist/threads/ring.js";
import { ROOT } from "../../support/paths.js";
import { within } from "../../support/waiting.js";

const test = suite("threads/ring");

test("a batch that is there is not waited for", () => {
  const words = Ring.words(2);
  const [caller, worker] = [new Ring(words), new Ring(words)];
  caller.fill();
  worker.await(0, () => assert.unreachable("the batch is there"));
  caller.fill();
  worker.await(0, () => assert.unreachable("so are two"));
  worker.await(1, () => assert.unreachable("so are two"));
});

test("whoever waits for a batch looks at the stop word", () => {
  const ring = new Ring(Ring.words(1));
  let polls = 0;
  assert.throws(
    () =>
      ring.await(0, () => {
        if (++polls === 3) throw new Error("stopped");
      }),
    /stopped/,
  );
});

test("a room is free when every item of its batch was taken, by whichever worker", async () => {
  const words = Ring.words(2);
  const [caller, one, other] = [new Ring(words), new Ring(words), new Ring(words)];
  const order: string[] = [];
  const free = caller.taken(0, 3).then(() => order.push("free"));
  one.take(0, 3);
  one.take(1, 1);
  other.take(0, 3);
  await new Promise((resolve) => setTimeout(resolve, 20));
  order.push("two of three");
  other.take(0, 3);
  await within(1000, free, "the last item");
  assert.equal(order, ["two of three", "free"]);
  await within(1000, caller.taken(1, 1), "taken before it was asked for");
});

test("hundreds of batches between two threads: none is taken before it was filled", async () => {
  const batches = 500;
  const words = Ring.words(batches);
  const numbers = new SharedArrayBuffer(4 * 2);
  const script = `
    import { workerData, parentPort } from "node:worker_threads";
    import { Ring } from ${JSON.stringify(`file://${ROOT}dist/threads/ring.js`)};
    const ring = new Ring(workerData.words);
    const rooms = new Int32Array(workerData.numbers);
    const seen = [];
    for (let batch = 0; batch < ${batches}; batch++) {
      ring.await(batch, () => {});
      seen.push(Atomics.load(rooms, batch % 2));
      ring.take(batch, 1);
    }
    parentPort.postMessage(seen);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
    workerData: { words, numbers },
  });
  const answer = once(worker, "message");
  const ring = new Ring(words);
  const rooms = new Int32Array(numbers);
  for (let batch = 0; batch < batches; batch++) {
    if (batch >= 2) await ring.taken(batch - 2, 1);
    Atomics.store(rooms, batch % 2, batch * 7);
    ring.fill();
  }
  const [seen] = await within(5000, answer, "the worker's answer");
  assert.equal(
    seen,
    Array.from({ length: batches }, (_, batch) => batch * 7),
  );
  await worker.terminate();
});

test.run();
