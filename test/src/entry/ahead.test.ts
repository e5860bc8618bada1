import { Readable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ahead, checkItems, type Items } from "#dist/entry/ahead.js";
import { refused } from "../../support/refusal.js";
import { rejection, within } from "../../support/waiting.js";

const test = suite("entry/ahead");

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** A source that notes what is asked of it. */
function counted(length: number, events: string[]): AsyncIterable<number> {
  return (async function* () {
    try {
      for (let n = 0; n < length; n++) {
        events.push(`pull ${n}`);
        yield n;
      }
    } finally {
      events.push("return");
    }
  })();
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

test("every kind of source: values in order, made once", async () => {
  const sources: Record<string, () => Items<number>> = {
    list: () => [0, 1, 2],
    set: () => new Set([0, 1, 2]),
    promises: () => [Promise.resolve(0), 1, Promise.resolve(2)],
    generator: function* () {
      yield* [0, 1, 2];
    },
    "async generator": () => counted(3, []),
    stream: () => Readable.from([0, 1, 2]),
  };
  for (const [what, source] of Object.entries(sources)) {
    const made: number[][] = [];
    const make = async (item: number, index: number): Promise<number> => {
      made.push([item, index]);
      return 10 * item;
    };
    assert.equal(await all(ahead(source(), make, new AbortController())), [0, 10, 20], what);
    assert.equal(
      made,
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
      what,
    );
  }
  assert.equal(await all(ahead([], () => 1, new AbortController())), []);
});

test("the next is made while the consumer has one, and none beyond it", async () => {
  const events: string[] = [];
  const make = async (n: number): Promise<number> => {
    events.push(`make ${n}`);
    await soon();
    events.push(`made ${n}`);
    return n;
  };
  const values = ahead(counted(4, events), make, new AbortController());
  await soon();
  assert.equal(events, [], "nothing before it is asked for");
  for await (const n of values) {
    for (let turn = 0; turn < 4; turn++) await soon();
    events.push(`used ${n}`);
  }
  const one = (n: number): string[] => [`pull ${n}`, `make ${n}`, `made ${n}`];
  assert.equal(events, [...one(0), ...one(1), "used 0", ...one(2), "used 1", ...one(3), "used 2", "return", "used 3"]);
});

test("after the last value the call goes on: its signal is the consumer's", async () => {
  const call = new AbortController();
  await all(ahead([1, 2], (n) => n, call));
  assert.not.ok(call.signal.aborted);
});

test("a value that cannot be made aborts the call at once and is thrown in its place; the source returns", async () => {
  const events: string[] = [];
  const broken = new Error("broken");
  const call = new AbortController();
  const make = async (n: number): Promise<number> => {
    if (n === 1) throw broken;
    return n;
  };
  const values = ahead(counted(5, events), make, call);
  assert.equal(await values.next(), { done: false, value: 0 });
  await soon();
  assert.is(call.signal.reason, broken, "known while the first is in use");
  assert.is(await rejection(values.next()), broken);
  assert.equal(events, ["pull 0", "pull 1", "return"]);
  assert.equal(await values.next(), { done: true, value: undefined });
});

test("the error is that of the value, also where the source's return fails", async () => {
  const broken = new Error("broken");
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 1 }) as const,
      return: () => Promise.reject(new Error("and cannot return")),
    }),
  };
  const make = (): Promise<number> => Promise.reject(broken);
  assert.is(await rejection(all(ahead(source, make, new AbortController()))), broken);
  const left = (async () => {
    for await (const _ of ahead(source, (n) => n, new AbortController())) break;
  })();
  assert.is(((await rejection(left)) as Error).message, "and cannot return", "as a loop over the source would");
});

test("a source that fails, synchronously or not: its error, in its place, and it is asked no more", async () => {
  const broken = new Error("broken");
  const sources: Items<number>[] = [
    (function* () {
      yield 0;
      throw broken;
    })(),
    (async function* () {
      yield 0;
      throw broken;
    })(),
    [0, Promise.reject(broken)],
  ];
  for (const source of sources) {
    const values = ahead(source, (n) => n, new AbortController());
    assert.equal(await values.next(), { done: false, value: 0 });
    assert.is(await rejection(values.next()), broken);
  }
});

test("a consumer that leaves: what is being made is aborted and has left, the source has returned", async () => {
  const events: string[] = [];
  const call = new AbortController();
  const make = async (n: number): Promise<number> => {
    if (n === 0) return n;
    await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
    await soon();
    events.push("left");
    throw call.signal.reason;
  };
  for await (const _ of ahead(counted(5, events), make, call)) {
    await soon();
    break;
  }
  assert.equal(events, ["pull 0", "pull 1", "left", "return"]);
});

test("a consumer that leaves, and an abort, do not wait for a source that is waiting", async () => {
  for (const how of ["leave", "abort"]) {
    let returned = false;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]() {
        let count = 0;
        return {
          next: () => (count++ === 0 ? Promise.resolve({ done: false, value: 0 }) : new Promise(() => {})),
          return: () => {
            returned = true;
            return new Promise(() => {});
          },
        };
      },
    };
    const call = new AbortController();
    const values = ahead(source, (n) => n, call);
    await values.next();
    if (how === "abort") {
      const waiting = values.next();
      call.abort("enough");
      assert.is(await rejection(within(1000, waiting, how)), "enough");
    } else {
      await within(1000, values.return(), how);
    }
    assert.ok(returned, "it was told");
  }
});

test("an abort before the start leaves the source alone", async () => {
  const events: string[] = [];
  const call = new AbortController();
  call.abort("before");
  assert.is(await rejection(all(ahead(counted(1, events), (n) => n, call))), "before");
  assert.equal(events, []);
});

test("what is no iterable is E_USAGE, a text too", async () => {
  for (const wrong of [undefined, null, 1, "a.png", { question: "?" }, () => {}]) {
    const check = async (): Promise<unknown> => checkItems("encodeStream", "images", wrong as Iterable<string>);
    const error = await refused(
      check(),
      "E_USAGE",
      /^encodeStream: images must be an iterable or an async iterable, got/,
    );
    assert.is(error.origin, "usage");
  }
  for (const right of [[], new Set<number>(), counted(1, []), Readable.from([])]) {
    assert.is(checkItems("encodeStream", "images", right), right);
  }
});

test.run();
