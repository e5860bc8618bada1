import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refuseExisting, writeAtomically, writeSetAtomically } from "#dist/entry/node/output.js";
import { ROOT } from "../../../support/paths.js";
import { refused } from "../../../support/refusal.js";
import { inScratch } from "../../../support/scratch.js";

const test = suite("entry/node/output");
const text = (value: string) => new TextEncoder().encode(value);
const failure = (code: string) => Object.assign(new Error(`${code}: made up`), { code });

/** Replaces functions of node:fs/promises for the time of `work`: faults that this machine or user cannot produce. */
async function withFaults<T>(faults: Record<string, unknown>, work: () => Promise<T>): Promise<T> {
  const originals = Object.fromEntries(Object.keys(faults).map((name) => [name, Reflect.get(fs, name)]));
  Object.assign(fs, faults);
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fs, originals);
    syncBuiltinESMExports();
  }
}

test("writes all chunks and leaves nothing else behind", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out.bin");
    async function* chunks() {
      yield text("one ");
      yield new Uint8Array(0);
      yield text("xx two xx").subarray(3, 6);
    }
    assert.is(await writeAtomically(path, chunks(), { expectedBytes: 7 }), 7);
    assert.is(readFileSync(path, "utf8"), "one two");
    assert.equal(readdirSync(folder), ["out.bin"]);
    assert.is(await writeAtomically(join(folder, "empty"), []), 0);
    assert.is(readFileSync(join(folder, "empty"), "utf8"), "");
  }));

test("a set: none has its name before all are complete, and each says its size", () =>
  inScratch(async (folder) => {
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    function* last() {
      assert.equal(
        readdirSync(folder).filter((name) => !name.startsWith(".")),
        [],
      );
      yield text("second");
    }
    const files = [
      { path: a, chunks: [text("one")], expectedBytes: 3 },
      { path: b, chunks: last(), expectedBytes: 6 },
    ];
    assert.equal(await writeSetAtomically(files), [3, 6]);
    assert.equal([readFileSync(a, "utf8"), readFileSync(b, "utf8")], ["one", "second"]);
    assert.equal(readdirSync(folder), ["a", "b"]);
    assert.equal(await writeSetAtomically([]), []);
  }));

test("a set: nothing is left of it when a file cannot be made, appears meanwhile, or the work is aborted", () =>
  inScratch(async (folder) => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name)) as [string, string, string];
    const set = (chunks: Iterable<Uint8Array>) => [
      { path: a, chunks: [text("a")] },
      { path: b, chunks },
      { path: c, chunks: [text("c")] },
    ];
    function* failing(): Generator<Uint8Array> {
      yield text("b");
      throw new Error("made up");
    }
    const thrown = await writeSetAtomically(set(failing())).catch((error) => error);
    assert.is(thrown.message, "made up");
    assert.equal(readdirSync(folder), []);

    const controller = new AbortController();
    function* aborting(): Generator<Uint8Array> {
      controller.abort("stopped");
      yield text("b");
    }
    const { signal } = controller;
    assert.is(await writeSetAtomically(set(aborting()), { signal }).catch((error) => error), "stopped");
    assert.equal(readdirSync(folder), []);

    function* overtaken(): Generator<Uint8Array> {
      yield text("b");
      writeFileSync(b, "theirs");
    }
    await refused(writeSetAtomically(set(overtaken())), "E_USAGE", /b": it exists/);
    assert.equal(readdirSync(folder), ["b"], "what was published before it is gone again");
    assert.is(readFileSync(b, "utf8"), "theirs");

    await refused(writeSetAtomically(set([text("b")])), "E_USAGE", /b": it exists/);
    assert.equal(readdirSync(folder), ["b"], "a name that is taken is seen before anything is written");
    await writeSetAtomically(set([text("b")]), { force: true });
    assert.equal(
      [a, b, c].map((path) => readFileSync(path, "utf8")),
      ["a", "b", "c"],
    );
    const wrong = [{ path: a, chunks: [text("a")], expectedBytes: 2 }];
    await refused(writeSetAtomically(wrong, { force: true }), "E_INTERNAL", /expected 2 bytes, got 1/);
    const large = set([text("b")]).map((file) => ({ ...file, expectedBytes: 2 ** 52 }));
    await refused(writeSetAtomically(large, { force: true }), "E_IO", /bytes of disk/);
  }));

test("a name of the longest length, unicode and spaces included", () =>
  inScratch(async (folder) => {
    for (const name of ["x".repeat(255), "é 日本 \n😀".repeat(12), "-rf"]) {
      await writeAtomically(join(folder, name), [text("a")]);
      assert.is(readFileSync(join(folder, name), "utf8"), "a");
    }
    assert.is(readdirSync(folder).length, 3);
  }));

test("L06: an existing output is E_USAGE without force and replaced whole with it", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    writeFileSync(path, "earlier and longer");
    await refused(refuseExisting(path, false), "E_USAGE", /exists.*--force/);
    await refused(writeAtomically(path, [text("new")]), "E_USAGE", /exists.*--force/);
    assert.is(readFileSync(path, "utf8"), "earlier and longer");
    await writeAtomically(path, [text("new")], { force: true });
    assert.is(readFileSync(path, "utf8"), "new");
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("a file that appears while writing survives, with and without hard links", () =>
  inScratch(async (folder) => {
    for (const faults of [{}, { link: () => Promise.reject(failure("EPERM")) }]) {
      const path = join(folder, `out${Object.keys(faults)}`);
      function* chunks() {
        yield text("ours");
        writeFileSync(path, "theirs");
      }
      await refused(
        withFaults(faults, () => writeAtomically(path, chunks())),
        "E_USAGE",
        /exists/,
      );
      assert.is(readFileSync(path, "utf8"), "theirs");
    }
    assert.is(readdirSync(folder).length, 2);
  }));

test("a file system without hard links is served, and a failing rename there leaves no empty file", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    const link = () => Promise.reject(failure("ENOTSUP"));
    const rename = () => Promise.reject(failure("EIO"));
    await refused(
      withFaults({ link, rename }, () => writeAtomically(path, [text("a")])),
      "E_IO",
      /EIO/,
    );
    assert.equal(readdirSync(folder), []);
    await withFaults({ link }, () => writeAtomically(path, [text("a")]));
    assert.is(readFileSync(path, "utf8"), "a");
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("with force the name is replaced: a link itself, never its target, and another name of the file keeps the old content", () =>
  inScratch(async (folder) => {
    const [target, path, dangling, other] = ["target", "link", "dangling", "other"].map((n) => join(folder, n)) as [
      string,
      string,
      string,
      string,
    ];
    writeFileSync(target, "target");
    linkSync(target, other);
    symlinkSync("target", path);
    symlinkSync("nowhere", dangling);
    for (const link of [path, dangling]) {
      await refused(writeAtomically(link, [text("new")]), "E_USAGE", /exists/);
      assert.ok(readlinkSync(link));
      await writeAtomically(link, [text("new")], { force: true });
      assert.ok(lstatSync(link).isFile());
    }
    await writeAtomically(target, [text("newer")], { force: true });
    assert.is(readFileSync(path, "utf8"), "new");
    assert.is(readFileSync(other, "utf8"), "target");
    assert.not.ok(existsSync(join(folder, "nowhere")));
  }));

test("folders, links to folders, names that end in a slash, and devices are never outputs", () =>
  inScratch(async (folder) => {
    mkdirSync(join(folder, "sub"));
    symlinkSync("sub", join(folder, "link"));
    for (const [path, got] of [
      ["", /name of a folder/],
      [`${folder}/new/`, /name of a folder/],
      [folder, /a folder/],
      [join(folder, "link"), /a folder/],
      ["/dev/null", /device/],
    ] as const) {
      await refused(refuseExisting(path, true), "E_USAGE", got);
      await refused(refuseExisting(path, false), "E_USAGE", got);
    }
    assert.equal(readdirSync(folder).sort(), ["link", "sub"]);
  }));

test("L05: a missing parent, and a parent that is a file, are E_IO of the output before any chunk is asked for", () =>
  inScratch(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    const never = {
      [Symbol.iterator]() {
        throw new Error("the chunks were asked for");
      },
    };
    const missing = await refused(writeAtomically(join(folder, "no/out"), never), "E_IO", /does not exist.*create it/);
    assert.is(missing.origin, "output");
    const file = await refused(writeAtomically(join(folder, "file/out"), never), "E_IO", /ENOTDIR/);
    assert.is(file.origin, "output");
  }));

test("L05: a folder that cannot be written to, by each refusal of the system", () =>
  inScratch(async (folder) => {
    for (const [code, said] of [
      ["EACCES", /no permission .*\(EACCES\)/],
      ["EPERM", /no permission .*\(EPERM\)/],
      ["EROFS", /is read-only \(EROFS\)/],
    ] as const) {
      const error = await refused(
        withFaults({ access: () => Promise.reject(failure(code)) }, () => refuseExisting(join(folder, "out"), false)),
        "E_IO",
        said,
      );
      assert.is(error.origin, "output");
    }
  }));

test("F08: a disk without room is refused before writing", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    const error = await refused(
      writeAtomically(path, [text("a")], { expectedBytes: 2 ** 60 }),
      "E_IO",
      /needs \d+ bytes.*\d+ are free/,
    );
    assert.is(error.origin, "output");
    // A file system that reports no blocks at all does not know its room.
    const statfs = async () => ({ blocks: 0, bavail: 0, bsize: 4096 });
    await withFaults({ statfs }, () => writeAtomically(path, [text("a")], { expectedBytes: 1 }));
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("F08: a disk that fills up while writing leaves nothing, and the earlier file untouched", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    writeFileSync(path, "earlier");
    const handle = await fs.open(path, "r");
    const prototype = Object.getPrototypeOf(handle);
    await handle.close();
    const { write, sync } = prototype;
    let calls = 0;
    try {
      for (const [method, fault] of [
        ["write", () => Promise.reject(failure("ENOSPC"))],
        ["sync", () => Promise.reject(failure("EDQUOT"))],
      ] as const) {
        prototype[method] = () => {
          calls++;
          return fault();
        };
        const error = await refused(writeAtomically(path, [text("new")], { force: true }), "E_IO", /full/);
        assert.is(error.origin, "output");
        Object.assign(prototype, { write, sync });
      }
    } finally {
      Object.assign(prototype, { write, sync });
    }
    assert.is(calls, 2);
    assert.is(readFileSync(path, "utf8"), "earlier");
    assert.equal(readdirSync(folder), ["out"]);
  }));

test("an error of the source, too few bytes, and an abort before, between and after the chunks leave nothing", () =>
  inScratch(async (folder) => {
    const path = join(folder, "out");
    const own = new Error("the source broke");
    let closed = false;
    async function* broken() {
      try {
        yield text("a");
        throw own;
      } finally {
        closed = true;
      }
    }
    const caught = await writeAtomically(path, broken()).catch((error) => error);
    assert.is(caught, own);
    assert.ok(closed);
    await refused(writeAtomically(path, [text("ab")], { expectedBytes: 3 }), "E_INTERNAL", /expected 3 bytes, got 2/);
    for (const when of [0, 1, 2]) {
      const controller = new AbortController();
      const reason = new Error(`stopped at ${when}`);
      function* chunks() {
        if (when === 0) controller.abort(reason);
        yield text("a");
        if (when === 1) controller.abort(reason);
        yield text("b");
        if (when === 2) controller.abort(reason);
      }
      const error = await writeAtomically(path, chunks(), { signal: controller.signal }).catch((thrown) => thrown);
      assert.is(error, reason);
    }
    const aborted = await writeAtomically(path, [], { signal: AbortSignal.abort("early") }).catch((error) => error);
    assert.is(aborted, "early");
    assert.equal(readdirSync(folder), []);
  }));

test("the next write of an output sweeps what a killed process left of it, and nothing else", () =>
  inScratch(async (folder) => {
    const exited = spawn(process.execPath, ["-e", ""]);
    await once(exited, "exit");
    const hourAgo = new Date(Date.now() - 3_700_000);
    const stale = `.out.tmp.${exited.pid}.00aa11bb`;
    const kept = [
      `.out.tmp.${exited.pid}.00aa11bc`,
      `.out.tmp.${process.pid}.00aa11bb`,
      `.out2.tmp.${exited.pid}.00aa11bb`,
      `.out.tmp.${exited.pid}.00aa11bb.txt`,
      ".out.tmp.notes",
    ];
    for (const name of [stale, ...kept]) {
      writeFileSync(join(folder, name), "");
      if (name !== kept[0]) utimesSync(join(folder, name), hourAgo, hourAgo);
    }
    await writeAtomically(join(folder, "out"), [text("a")]);
    assert.equal(readdirSync(folder).sort(), ["out", ...kept].sort());
  }));

test("no handlers stay on the process after writing", () =>
  inScratch(async (folder) => {
    const events = ["exit", "SIGINT", "SIGTERM", "SIGHUP"] as const;
    const before = events.map((event) => process.listenerCount(event));
    let during: number[] = [];
    function* chunks() {
      during = events.map((event) => process.listenerCount(event));
      yield text("a");
    }
    await Promise.all([
      writeAtomically(join(folder, "a"), chunks()),
      writeAtomically(join(folder, "b"), [text("b")]),
      writeAtomically(join(folder, "no/c"), [text("c")]).catch(() => {}),
    ]);
    assert.equal(
      during,
      before.map((count) => count + 1),
    );
    assert.equal(
      events.map((event) => process.listenerCount(event)),
      before,
    );
  }));

/** A process that writes for ever; resolves when its temporary file is there. */
async function endlessWriter(folder: string, prelude: string): Promise<ChildProcess> {
  const script = `
    import { writeAtomically } from ${JSON.stringify(`${ROOT}dist/entry/node/output.js`)};
    ${prelude}
    async function* chunks() {
      for (;;) { yield new Uint8Array(1000); await new Promise((resolve) => setTimeout(resolve, 5)); }
    }
    await writeAtomically(${JSON.stringify(join(folder, "out"))}, chunks());`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
  while (readdirSync(folder).length === 0 && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return child;
}

test("L10: an interrupt removes the temporary file and the process dies of it", () =>
  inScratch(async (folder) => {
    for (const interrupt of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const child = await endlessWriter(folder, "");
      child.kill(interrupt);
      assert.equal(await once(child, "exit"), [null, interrupt]);
      assert.equal(readdirSync(folder), []);
    }
  }));

test("L10: a program with its own handler decides, and nothing is left when it exits", () =>
  inScratch(async (folder) => {
    const child = await endlessWriter(folder, `process.on("SIGINT", () => process.exit(130));`);
    child.kill("SIGINT");
    assert.equal(await once(child, "exit"), [130, null]);
    assert.equal(readdirSync(folder), []);
  }));

test.run();
