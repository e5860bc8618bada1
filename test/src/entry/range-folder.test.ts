import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rangeFiles } from "#dist/entry/node/range-files.js";
import { RangeFolder } from "#dist/entry/range-folder.js";
import { inScratch } from "../../support/scratch.js";
import { rejection } from "../../support/waiting.js";

const test = suite("entry/range-folder");

const CONTENT = Uint8Array.from({ length: 5000 }, (_, i) => (i * 31 + (i >> 8)) % 256);
const piece = (begin: number, end: number): Uint8Array => CONTENT.subarray(begin, end);

async function read(folder: RangeFolder, begin: number, end: number): Promise<Uint8Array> {
  const target = new Uint8Array(end - begin);
  return target.subarray(0, await folder.read(begin, target));
}

test("what is written is read, by this folder and by one opened later; what is not, is missing", () =>
  inScratch(async (scratch) => {
    const path = join(scratch, "not/there/yet");
    const folder = await RangeFolder.open(rangeFiles(path));
    assert.equal(folder.missing({ begin: 0, end: 10 }), [{ begin: 0, end: 10 }]);
    await folder.write(100, piece(100, 200));
    await folder.write(300, piece(300, 400));
    for (const one of [folder, await RangeFolder.open(rangeFiles(path))]) {
      assert.equal(await read(one, 100, 200), piece(100, 200));
      assert.equal(await read(one, 120, 130), piece(120, 130));
      assert.equal(await read(one, 150, 350), piece(150, 200), "as far as it reaches");
      assert.equal(await read(one, 0, 150), new Uint8Array(0));
      assert.equal(one.missing({ begin: 50, end: 500 }), [
        { begin: 50, end: 100 },
        { begin: 200, end: 300 },
        { begin: 400, end: 500 },
      ]);
      assert.equal(one.missing({ begin: 110, end: 190 }), []);
    }
  }));

test("any ranges, written and read in any order, are the file's bytes", () =>
  inScratch(async (scratch) => {
    let seed = 1;
    const below = (limit: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % limit;
    };
    const known = new Uint8Array(CONTENT.length);
    let folder = await RangeFolder.open(rangeFiles(join(scratch, "f")));
    for (let turn = 0; turn < 400; turn++) {
      const begin = below(CONTENT.length);
      const end = Math.min(CONTENT.length, begin + 1 + below(turn % 3 === 0 ? 700 : 60));
      if (turn % 2 === 0) {
        await folder.write(begin, piece(begin, end));
        known.fill(1, begin, end);
      }
      if (turn % 50 === 49) folder = await RangeFolder.open(rangeFiles(join(scratch, "f")));
      const first = known.subarray(begin, end).indexOf(0);
      const reach = known[begin] === 0 ? begin : first < 0 ? end : begin + first;
      assert.equal(await read(folder, begin, end), piece(begin, reach));
      const gaps = folder
        .missing({ begin, end })
        .flatMap((gap) => Array.from({ length: gap.end - gap.begin }, (_, i) => gap.begin + i));
      assert.equal(
        gaps,
        [...known.subarray(begin, end)].flatMap((byte, i) => (byte === 0 ? [begin + i] : [])),
      );
    }
  }));

test("into shared memory, too", () =>
  inScratch(async (scratch) => {
    const shared = new Uint8Array(new SharedArrayBuffer(200), 50, 100);
    shared.set(piece(0, 100));
    const folder = await RangeFolder.open(rangeFiles(scratch));
    await folder.write(0, shared);
    shared.fill(0);
    assert.is(await (await RangeFolder.open(rangeFiles(scratch))).read(0, shared), 100);
    assert.equal(new Uint8Array(shared), piece(0, 100));
  }));

test("a range is cut, so that no byte needs much to be checked", () =>
  inScratch(async (scratch) => {
    const large = new Uint8Array(20 * 2 ** 20).fill(7);
    await (await RangeFolder.open(rangeFiles(scratch))).write(5, large);
    assert.is(readdirSync(scratch).length, 3);
    assert.equal((await RangeFolder.open(rangeFiles(scratch))).missing({ begin: 5, end: 5 + large.length }), []);
  }));

const DAMAGE: Readonly<Record<string, (path: string) => void>> = {
  "a changed byte": (path) => {
    const bytes = readFileSync(path);
    bytes[50]! ^= 1;
    writeFileSync(path, bytes);
  },
  "cut short": (path) => truncateSync(path, 99),
  "too long": (path) => truncateSync(path, 101),
  empty: (path) => truncateSync(path, 0),
  gone: (path) => rmSync(path),
  "a folder": (path) => {
    rmSync(path);
    mkdirSync(path);
  },
};

for (const [how, damage] of Object.entries(DAMAGE)) {
  test(`damage is met and the range is missing from then on: ${how}`, () =>
    inScratch(async (scratch) => {
      await (await RangeFolder.open(rangeFiles(scratch))).write(0, piece(0, 100));
      const folder = await RangeFolder.open(rangeFiles(scratch));
      damage(join(scratch, readdirSync(scratch)[0]!));
      assert.equal(folder.missing({ begin: 0, end: 100 }), []);
      assert.equal(await read(folder, 10, 20), new Uint8Array(0));
      assert.equal(folder.missing({ begin: 0, end: 100 }), [{ begin: 0, end: 100 }]);
      if (how === "a folder") return;
      assert.equal(readdirSync(scratch), [], "it is removed");
      await folder.write(0, piece(0, 100));
      assert.equal(await read(await RangeFolder.open(rangeFiles(scratch)), 0, 100), piece(0, 100));
    }));
}

test("names that are none of ours are left alone, and mean nothing", () =>
  inScratch(async (scratch) => {
    const digest = "0".repeat(64);
    const names = [
      "x",
      `1-2-${"0".repeat(63)}`,
      `-1-2-${digest}`,
      `0-0-${digest}`,
      `0-99999999-${digest}`,
      `9007199254740991-5-${digest}`,
    ];
    for (const name of names) writeFileSync(join(scratch, name), "");
    const folder = await RangeFolder.open(rangeFiles(scratch));
    assert.equal(folder.missing({ begin: 0, end: 100 }), [{ begin: 0, end: 100 }]);
    assert.is(readdirSync(scratch).length, names.length);
  }));

test("what a killed process left half-written is removed after an hour, and never read", () =>
  inScratch(async (scratch) => {
    const [old, young] = [".cache.tmp.999999999.00000000", ".cache.tmp.999999999.00000001"];
    for (const name of [old, young]) writeFileSync(join(scratch, name), "x");
    utimesSync(join(scratch, old), 0, 0);
    const folder = await RangeFolder.open(rangeFiles(scratch));
    assert.equal(readdirSync(scratch), [young]);
    assert.equal(folder.missing({ begin: 0, end: 1 }), [{ begin: 0, end: 1 }]);
  }));

test("two that write the same at once end with one good file", () =>
  inScratch(async (scratch) => {
    const folders = await Promise.all(Array.from({ length: 4 }, () => RangeFolder.open(rangeFiles(scratch))));
    await Promise.all(folders.flatMap((folder) => [folder.write(0, piece(0, 1000)), folder.write(0, piece(0, 1000))]));
    assert.is(readdirSync(scratch).length, 1);
    for (const folder of [...folders, await RangeFolder.open(rangeFiles(scratch))])
      assert.equal(await read(folder, 0, 1000), piece(0, 1000));
  }));

test("a folder that cannot be made says so, and nothing is kept", () =>
  inScratch(async (scratch) => {
    writeFileSync(join(scratch, "file"), "");
    const folder = await RangeFolder.open(rangeFiles(join(scratch, "file/folder")));
    const error = (await rejection(folder.write(0, piece(0, 10)))) as NodeJS.ErrnoException;
    assert.is(error.code, "ENOTDIR");
    assert.equal(folder.missing({ begin: 0, end: 10 }), [{ begin: 0, end: 10 }]);
  }));

test.run();
