import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTextFile, textLines } from "#dist/entry/node/text-file.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/text-file");

const never = new AbortController().signal;

async function lines(path: string, signal: AbortSignal = never): Promise<string[]> {
  const read: string[] = [];
  for await (const line of textLines(path, signal)) read.push(line);
  return read;
}

/** The content as a text and as lines. */
function read(content: string | Uint8Array): Promise<{ text: string; lines: string[] }> {
  return inScratch(async (folder) => {
    const path = join(folder, "file");
    writeFileSync(path, content);
    return { text: await readTextFile(path, never), lines: await lines(path) };
  });
}

test("LF and CRLF end a line, also the last one; nothing else does", async () => {
  assert.equal((await read("")).lines, []);
  assert.equal((await read("a")).lines, ["a"]);
  assert.equal((await read("a\n")).lines, ["a"]);
  assert.equal((await read("a\r\n\r\n\nb\r\n")).lines, ["a", "", "", "b"]);
  const inner = "a\u2028b\u2029c\u0085d\re\vf\fg\0h";
  assert.equal((await read(`${inner}\n${inner}`)).lines, [inner, inner]);
});

test("a byte order mark at the start is left out, another one is text", async () => {
  assert.equal(await read("\ufeffa\n\ufeffb"), { text: "a\n\ufeffb", lines: ["a", "\ufeffb"] });
});

test("characters and lines that lie across the pieces that are read", async () => {
  // 256 KiB at a time: with one byte before them, characters of 3 and 4 bytes straddle every boundary sooner or later.
  const long = `.${"€😀".repeat(200_000)}`;
  const content = `${long}\n${long}\r\n.`;
  assert.ok((await read(content)).text === content);
  const [first, second, third] = (await read(content)).lines;
  assert.ok(first === long && second === long && third === ".");
});

test("bytes that are not UTF-8, also when they end within a character", () =>
  inScratch(async (folder) => {
    const path = join(folder, "file");
    for (const bytes of [
      [0x61, 0xff],
      [0xe2, 0x82],
      [0xed, 0xa0, 0x80],
      [0xff, 0xfe, 0x61, 0x00],
    ]) {
      writeFileSync(path, Uint8Array.from(bytes));
      await refused(readTextFile(path, never), "E_PROMPT", /expected UTF-8/);
      await refused(lines(path), "E_PROMPT", /expected UTF-8/);
    }
  }));

test("a text, and a line, of more than 16 M characters; the lines before it are read", () =>
  inScratch(async (folder) => {
    const path = join(folder, "file");
    const line = `${"x".repeat(2 ** 20 - 1)}\n`;
    writeFileSync(path, line.repeat(17));
    assert.is((await lines(path)).length, 17);
    await refused(readTextFile(path, never), "E_PROMPT", /at most 16777216 characters/);
    writeFileSync(path, `first\n${"x".repeat(17 * 2 ** 20)}`);
    const reading = textLines(path, never);
    assert.is((await reading.next()).value, "first");
    await refused(reading.next(), "E_PROMPT", /a line of at most 16777216 characters/);
  }));

test("what is no regular file is refused, not waited for", () =>
  inScratch(async (folder) => {
    mkdirSync(join(folder, "folder"));
    assert.is(spawnSync("mkfifo", [join(folder, "pipe")]).status, 0);
    for (const path of [join(folder, "folder"), join(folder, "pipe"), "/dev/zero"]) {
      const error = await refused(readTextFile(path, never), "E_IO", /expected a regular file/);
      assert.is(error.origin, "input");
      await refused(lines(path), "E_IO", /expected a regular file/);
    }
    const missing = await refused(readTextFile(join(folder, "absent"), never), "E_IO", /no such file; check the path/);
    assert.is(missing.origin, "input");
    assert.is((await refused(lines(join(folder, "pipe", "x")), "E_IO", /ENOTDIR/)).origin, "input");
  }));

test("the signal's reason, before and between pieces; the file is closed whoever stops", () =>
  inScratch(async (folder) => {
    const path = join(folder, "file");
    writeFileSync(path, "a\n".repeat(2 ** 19));
    const before = readdirSync("/proc/self/fd").length;
    assert.is(await readTextFile(path, AbortSignal.abort("stopped")).catch((reason) => reason), "stopped");
    const controller = new AbortController();
    let count = 0;
    const reason = await (async () => {
      for await (const _ of textLines(path, controller.signal)) if (++count === 10) controller.abort("enough");
    })().catch((caught) => caught);
    assert.is(reason, "enough");
    assert.ok(count < 2 ** 18, "the second piece was not read");
    for await (const line of textLines(path, never)) {
      assert.is(line, "a");
      break;
    }
    assert.is(readdirSync("/proc/self/fd").length, before);
  }));

test.run();
