import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fetchBlob, type ReadBlob } from "#dist/entry/node/blob.js";
import type { Known } from "#dist/entry/weight-store.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";
import { rejection, until } from "../../../support/waiting.js";

const test = suite("entry/node/blob");

/** More than the pieces that are fetched at once. */
const CONTENT = new Uint8Array(30 * 2 ** 20).map((_, i) => (i * 31 + (i >> 8)) % 256);
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");
const FILE: Known = { size: CONTENT.length, etag: "other", sha256: SHA256 };

interface Reads {
  readonly read: ReadBlob;
  bytes: number;
}

function reading(content: Uint8Array = CONTENT, stopAt = Number.POSITIVE_INFINITY): Reads {
  const reads: Reads = {
    bytes: 0,
    read: async (offset, target) => {
      if (offset >= stopAt) throw new Error("cut");
      target.set(content.subarray(offset, offset + target.length));
      reads.bytes += target.length;
    },
  };
  return reads;
}

/** What a process left that has not touched it for some seconds. */
function leave(blob: string, bytes: Uint8Array, seconds = 61): string {
  const path = `${blob}.janus-${randomBytes(8).toString("hex")}.incomplete`;
  writeFileSync(path, bytes);
  const time = Date.now() / 1000 - seconds;
  utimesSync(path, time, time);
  return path;
}

function sizeOfPartial(folder: string): number {
  return Math.max(...readdirSync(folder).map((name) => statSync(join(folder, name)).size));
}

/** Reads that wait before a place until they are let go. */
function held(at: number): { readonly read: ReadBlob; readonly waiting: () => boolean; readonly go: () => void } {
  let waiting = false;
  let go = (): void => undefined;
  const open = new Promise<void>((resolve) => {
    go = resolve;
  });
  const read: ReadBlob = async (offset, target, signal) => {
    if (offset >= at) {
      waiting = true;
      await open;
    }
    await reading().read(offset, target, signal);
  };
  return { read, waiting: () => waiting, go };
}

test("a file is complete under its name, and nothing else is left", () =>
  inScratch(async (folder) => {
    const blob = join(folder, "blobs", SHA256);
    const seen: number[] = [];
    await fetchBlob(blob, FILE, reading().read, { path: "x", onBytes: (done) => seen.push(done) });
    assert.ok(readFileSync(blob).equals(CONTENT));
    assert.equal(readdirSync(join(folder, "blobs")), [SHA256]);
    assert.is(seen.at(-1), CONTENT.length);
    assert.equal(
      seen.toSorted((a, b) => a - b),
      seen,
      "progress only grows",
    );
    const again = reading();
    await fetchBlob(blob, FILE, again.read, { path: "x" });
    assert.is(again.bytes, 0);
  }));

test("git's digest is compared too; an ETag of another kind cannot be", () =>
  inScratch(async (folder) => {
    const bytes = new TextEncoder().encode("hello\n");
    const etag = "ce013625030ba8dba906f756967f9e9ca394464a";
    const file = { size: bytes.length, etag };
    await fetchBlob(join(folder, etag), file, reading(bytes).read, { path: "x" });
    const wrong = reading(new TextEncoder().encode("jello\n"));
    await refused(
      fetchBlob(join(folder, "other"), file, wrong.read, { path: "config.json" }),
      "E_INTEGRITY",
      /config\.json/,
    );
    assert.not(existsSync(join(folder, "other")));
    await fetchBlob(join(folder, "c"), { size: 6, etag: "abc-7" }, wrong.read, { path: "x" });
    await fetchBlob(join(folder, "d"), { size: 0, etag: "empty" }, wrong.read, { path: "x" });
    assert.equal(readdirSync(folder).sort(), ["c", etag, "d"].sort());
  }));

test("an interrupted file keeps its beginning, and is continued from there", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    const stop = 16 * 2 ** 20;
    assert.match(String(await rejection(fetchBlob(blob, FILE, reading(CONTENT, stop).read, { path: "x" }))), /cut/);
    const [left] = readdirSync(folder);
    assert.match(left ?? "", /\.incomplete$/);
    assert.not(existsSync(blob));
    const rest = reading();
    await fetchBlob(blob, FILE, rest.read, { path: "x" });
    assert.is(rest.bytes, CONTENT.length - stop);
    assert.ok(readFileSync(blob).equals(CONTENT));
    assert.equal(readdirSync(folder), [SHA256]);
  }));

test("of what nobody is working on the longest beginning is taken, the others are removed", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    leave(blob, CONTENT.subarray(0, 1000));
    leave(blob, CONTENT.subarray(0, 10_000_000));
    leave(blob, CONTENT.subarray(0, 10), 1e6);
    const rest = reading();
    await fetchBlob(blob, FILE, rest.read, { path: "x" });
    assert.is(rest.bytes, CONTENT.length - 10_000_000);
    assert.equal(readdirSync(folder), [SHA256]);
  }));

test("what somebody may be working on is left alone, whatever the number of his process", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    const theirs = leave(blob, CONTENT.subarray(0, 10), 30);
    const python = `${blob}.deadbeef.incomplete`;
    writeFileSync(python, "x");
    utimesSync(python, 0, 0);
    const all = reading();
    await fetchBlob(blob, FILE, all.read, { path: "x" });
    assert.is(all.bytes, CONTENT.length);
    for (const path of [theirs, python]) assert.ok(existsSync(path), path);
    utimesSync(theirs, 0, 0);
    await fetchBlob(join(folder, "x"), { size: 1, etag: "x" }, all.read, { path: "x" });
    assert.ok(existsSync(theirs), "of another file");
  }));

test("two at once: the second leaves the file of the first alone, and both end with a good one", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    const first = held(8 * 2 ** 20);
    const fetching = fetchBlob(blob, FILE, first.read, { path: "x" });
    await until(() => first.waiting() && sizeOfPartial(folder) === 8 * 2 ** 20, "the first is half-way");
    const second = reading();
    await fetchBlob(blob, FILE, second.read, { path: "x" });
    assert.is(second.bytes, CONTENT.length, "nothing of the first was taken");
    assert.is(readdirSync(folder).length, 2, "which is still at work");
    first.go();
    await fetching;
    assert.ok(readFileSync(blob).equals(CONTENT));
    assert.equal(readdirSync(folder), [SHA256]);
  }));

test("one that slept is taken over; what it writes when it wakes does not reach the other's file, and it ends well", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    const sleeper = held(8 * 2 ** 20);
    const sleeping = fetchBlob(blob, FILE, sleeper.read, { path: "x" });
    await until(() => sleeper.waiting() && sizeOfPartial(folder) === 8 * 2 ** 20, "it is half-way");
    utimesSync(join(folder, readdirSync(folder)[0]!), 0, 0);
    const other = held(24 * 2 ** 20);
    const taking = fetchBlob(blob, FILE, other.read, { path: "x" });
    await until(() => other.waiting() && sizeOfPartial(folder) === 24 * 2 ** 20, "the other goes on from there");
    assert.is(readdirSync(folder).length, 1);
    sleeper.go();
    await sleeping;
    assert.ok(readFileSync(blob).equals(CONTENT), "it found its file gone, and began again");
    other.go();
    await taking;
    assert.ok(readFileSync(blob).equals(CONTENT));
    assert.equal(readdirSync(folder), [SHA256]);
  }));

test("a folder that somebody empties all the time is E_IO, and says so", () =>
  inScratch(async (folder) => {
    const blob = join(folder, "blobs", SHA256);
    const emptying: ReadBlob = async (offset, target, signal) => {
      await reading().read(offset, target, signal);
      rmSync(join(folder, "blobs"), { recursive: true, force: true });
    };
    const error = await refused(
      fetchBlob(blob, FILE, emptying, { path: "model.safetensors" }),
      "E_IO",
      /model\.safetensors.*found it removed, 3 times in a row/,
    );
    assert.is(error.origin, "output");
  }));

for (const [what, bytes] of [
  ["damaged", CONTENT.slice(0, 5_000_000).fill(0, 100, 200)],
  ["too long", new Uint8Array(CONTENT.length + 1)],
  ["as long, and wrong", new Uint8Array(CONTENT.length)],
] as const) {
  test(`a beginning that is ${what} is fetched anew`, () =>
    inScratch(async (folder) => {
      const blob = join(folder, SHA256);
      leave(blob, bytes);
      await fetchBlob(blob, FILE, reading().read, { path: "x" });
      assert.ok(readFileSync(blob).equals(CONTENT));
      assert.equal(readdirSync(folder), [SHA256]);
    }));
}

test("what a server sends that does not hold is E_INTEGRITY, and nothing is left of it", () =>
  inScratch(async (folder) => {
    const other = CONTENT.slice().fill(1, 20_000_000, 20_000_001);
    const blob = join(folder, SHA256);
    await refused(
      fetchBlob(blob, FILE, reading(other).read, { path: "model.safetensors" }),
      "E_INTEGRITY",
      /found [0-9a-f]{64}; fetch it again/,
    );
    assert.equal(readdirSync(folder), []);
  }));

test("a blob of another length, as a crash may leave one, is replaced", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    writeFileSync(blob, CONTENT.subarray(0, 100));
    await fetchBlob(blob, FILE, reading().read, { path: "x" });
    assert.ok(readFileSync(blob).equals(CONTENT));
  }));

test("F14: several at once end with one good file", () =>
  inScratch(async (folder) => {
    const blob = join(folder, SHA256);
    await Promise.all(Array.from({ length: 4 }, () => fetchBlob(blob, FILE, reading().read, { path: "x" })));
    assert.ok(readFileSync(blob).equals(CONTENT));
    assert.equal(readdirSync(folder), [SHA256]);
  }));

test("an abort rejects with its reason, and what is under way is stopped", () =>
  inScratch(async (folder) => {
    const controller = new AbortController();
    const stopped: unknown[] = [];
    let started = 0;
    const read: ReadBlob = (_, __, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          stopped.push(signal.reason);
          reject(signal.reason);
        });
        if (++started === 4) controller.abort("stopped");
      });
    const fetching = rejection(fetchBlob(join(folder, "x"), FILE, read, { path: "x", signal: controller.signal }));
    assert.is(await fetching, "stopped");
    assert.equal(stopped, ["stopped", "stopped", "stopped", "stopped"]);
  }));

test("a disk that refuses is told as it says it, and nothing is left", () =>
  inScratch(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    const error = await rejection(fetchBlob(join(folder, "file/blob"), FILE, reading().read, { path: "x" }));
    assert.match((error as NodeJS.ErrnoException).code!, /ENOTDIR|EEXIST/);
    mkdirSync(join(folder, SHA256));
    const taken = await rejection(fetchBlob(join(folder, SHA256), FILE, reading().read, { path: "x" }));
    assert.match((taken as NodeJS.ErrnoException).code!, /EISDIR|ENOTEMPTY|EEXIST/);
    assert.equal(readdirSync(folder).sort(), [SHA256, "file"].sort());
  }));

test.run();
