import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { directorySource } from "#dist/entry/node/directory.js";
import { requiredTensors } from "#dist/model/tensors.js";
import { openCheckpoint } from "#dist/weights/checkpoint.js";
import { golden } from "../../../support/paths.js";
import { refuses } from "../../../support/refusal.js";
import { openTiny, TINY, tinyFiles } from "../../../support/tiny-checkpoints.js";

const test = suite("entry/node/directory");

let folder = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "janus-directory-"));
});
test.after.each(() => rmSync(folder, { recursive: true }));

async function opened(call: (source: ReturnType<typeof directorySource>) => Promise<unknown>): Promise<void> {
  const source = directorySource(folder);
  try {
    await call(source);
  } finally {
    await source.close();
  }
}

test("reads sizes and ranges, into a new array or a given one, shared memory too", () =>
  opened(async (source) => {
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub", "a b"), "0123456789");
    assert.is(await source.size("sub/a b"), 10);
    assert.equal(await source.read("sub/a b", 3, 4), new TextEncoder().encode("3456"));
    assert.is((await source.read("sub/a b", 10, 0)).length, 0);
    const shared = new Uint8Array(new SharedArrayBuffer(6), 1, 4);
    await source.readInto("sub/a b", 0, shared);
    assert.equal([...shared], [0x30, 0x31, 0x32, 0x33]);
    assert.is(source.label, folder);
  }));

test("an absent file has no size, and may come later", () =>
  opened(async (source) => {
    assert.is(await source.size("late"), undefined);
    await refuses(() => source.read("late", 0, 1), "E_IO", /"late": expected a file in .*found none/);
    writeFileSync(join(folder, "late"), "x");
    assert.is(await source.size("late"), 1);
    assert.is(await source.size("late/below"), undefined);
  }));

test("a range beyond the end is E_IO and allocates nothing", () =>
  opened(async (source) => {
    writeFileSync(join(folder, "f"), "123");
    for (const [offset, length] of [
      [0, 4],
      [3, 1],
      [-1, 1],
      [0, -1],
      [2 ** 53, 1],
      [0, 2 ** 45],
      [Number.NaN, 1],
    ] as const)
      await refuses(() => source.read("f", offset, length), "E_IO", /found a file of 3/);
  }));

test("a path that is not plainly inside is refused, a link is followed", () =>
  opened(async (source) => {
    for (const path of ["..", "../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a\\b", "a\0b", "", "a/"])
      await refuses(() => source.size(path), "E_IO", /relative path inside the directory/);
    writeFileSync(join(folder, "blob"), "linked");
    symlinkSync("blob", join(folder, "link"));
    assert.is(await source.size("link"), 6);
    symlinkSync("loop", join(folder, "loop"));
    await refuses(() => source.size("loop"), "E_IO", /ELOOP/);
  }));

test("a directory, a FIFO and a device are refused without being opened", () =>
  opened(async (source) => {
    mkdirSync(join(folder, "dir"));
    execFileSync("mkfifo", [join(folder, "fifo")]);
    symlinkSync("/dev/zero", join(folder, "zero"));
    for (const path of ["dir", "fifo", "zero"]) await refuses(() => source.size(path), "E_IO", /regular file/);
  }));

test("a file that may not be read is E_IO with the system's reason", () =>
  opened(async (source) => {
    writeFileSync(join(folder, "secret"), "x");
    chmodSync(join(folder, "secret"), 0);
    // Root reads everything; for it the long name is the unreadable file.
    const path = process.getuid?.() === 0 ? "n".repeat(300) : "secret";
    await refuses(() => source.size(path), "E_IO", /EACCES|ENAMETOOLONG/);
  }));

test("F11 a file cut short or written to after it was opened is E_INTEGRITY", async () => {
  await opened(async (source) => {
    const path = join(folder, "f");
    writeFileSync(path, "0123456789");
    await source.read("f", 0, 10);
    truncateSync(path, 4);
    await refuses(() => source.read("f", 0, 10), "E_INTEGRITY", /unchanged since it was opened \(10 bytes\).*4 bytes/);
  });
  await opened(async (source) => {
    const path = join(folder, "f");
    writeFileSync(path, "0123456789");
    await source.size("f");
    appendFileSync(path, "x");
    await refuses(() => source.read("f", 0, 10), "E_INTEGRITY", /11 bytes/);
  });
});

test("a file replaced by a rename is read to its end as it was", () =>
  opened(async (source) => {
    writeFileSync(join(folder, "f"), "old");
    await source.size("f");
    rmSync(join(folder, "f"));
    writeFileSync(join(folder, "f"), "new");
    assert.equal(await source.read("f", 0, 3), new TextEncoder().encode("old"));
  }));

test("aborts are the signal's reason", () =>
  opened(async (source) => {
    writeFileSync(join(folder, "f"), "x");
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    for (const call of [
      () => source.size("f", signal),
      () => source.read("f", 0, 1, signal),
      () => source.readInto("f", 0, new Uint8Array(1), signal),
    ])
      assert.is(await (call() as Promise<unknown>).catch((error: unknown) => error), reason);
  }));

test("a closed source is E_DISPOSED, and closing twice is nothing", async () => {
  const source = directorySource(folder);
  writeFileSync(join(folder, "f"), "x");
  await source.size("f");
  await source.close();
  await source.close();
  await refuses(() => source.read("f", 0, 1), "E_DISPOSED", /closed/);
});

test("a recorded checkpoint reads the same from its directory as from memory", async () => {
  for (const name of TINY) {
    const memory = await openTiny(tinyFiles(name));
    const source = directorySource(golden(`checkpoints/${name}`));
    const checkpoint = await openCheckpoint(source);
    const requests = requiredTensors(memory.config);
    const [here, there] = [checkpoint.bind(requests), memory.checkpoint.bind(requests)];
    for (const { role, shape } of requests) {
      const rows = await checkpoint.readRows(here.get(role)!, 0, shape[0]!);
      assert.equal(rows, await memory.checkpoint.readRows(there.get(role)!, 0, shape[0]!), role);
    }
    await source.close();
  }
});

test("a directory whose name has a line break still makes one line", async () => {
  const source = directorySource(join(folder, "two\nlines"));
  await refuses(() => openCheckpoint(source), "E_IO", /two\\nlines": expected one of/);
  await source.close();
});

test("the directory of something else is E_IO naming what was looked for", () =>
  opened((source) => refuses(() => openCheckpoint(source), "E_IO", /model\.safetensors, .*pytorch_model\.bin/)));

test.run();
